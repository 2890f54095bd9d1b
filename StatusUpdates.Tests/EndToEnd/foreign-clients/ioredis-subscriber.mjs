// Listens to one user's channel, as a bot would. Usage: node ioredis-subscriber.mjs <userId>
// Redis is found by REDIS_HOST, REDIS_PORT and REDIS_PASSWORD. Ends when it has heard of a generation's submission, its work and its end:
// in whatever order, because several programs announce and Redis promises none.
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
