// Listens to one user's channel, as a bot would. Usage: node ioredis-subscriber.mjs <userId>
// Redis is found by REDIS_HOST, REDIS_PORT and REDIS_PASSWORD. Ends when a generation has come to its end.
import Redis from 'ioredis';

const [userId] = process.argv.slice(2);
const redis = new Redis({
  host: process.env.REDIS_HOST,
  port: Number(process.env.REDIS_PORT),
  password: process.env.REDIS_PASSWORD || undefined,
});

redis.on('message', (channel, message) => {
  const payload = JSON.parse(message);
  console.log(JSON.stringify({ channel, payload }));
  if (['completed', 'failed', 'canceled'].includes(payload.status)) {
    redis.disconnect();
  }
});

await redis.subscribe(`generation:user:${userId}`);
console.log(JSON.stringify({ type: 'subscribed' }));
