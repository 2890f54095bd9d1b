// A server that speaks S3 and checks signatures (key S3RVER, secret S3RVER), with one bucket: node s3-server.mjs PORT FOLDER BUCKET
import S3rver from '@20minutes/s3rver';

const [port, directory, name] = process.argv.slice(2);
const server = new S3rver({
  address: '127.0.0.1', port: Number(port), directory, silent: true, configureBuckets: [{ name }],
});
await server.run();
console.log('ready');
