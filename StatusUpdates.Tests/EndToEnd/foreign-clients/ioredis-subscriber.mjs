// Listens to one user's channel, as a bot would. Usage: node ioredis-subscriber.mjs <userId>
// Connects to REDIS_HOST and REDIS_PORT with REDIS_PASSWORD. Ends once it has received pending, processing and a final status of a generation,
// in any order, because several programs publish and Redis guarantees no order between them.
import Redis from 'ioredis';

const [userId] = process.argv.slice(2);
const redis = new Redis({
  host: process.env.REDIS_HOST,
  port: Number(process.env.REDIS_PORT),
  password: process.env.REDIS_PASSWORD || undefined,
});

const missing = new Set(['pending', 'processing', 'end']);
redis.on('message', (channel, message) => {
  const payload = JSON.parse(message);
  console.log(JSON.stringify({ channel, payload }));
  missing.delete(['completed', 'failed', 'canceled'].includes(payload.status) ? 'end' : payload.status);
  if (missing.size === 0) {
    redis.disconnect();
  }
});

await redis.subscribe(`generation:user:${userId}`);
console.log(JSON.stringify({ type: 'subscribed' }));
