// Publishes one update in the original format: no position, no trace. Usage: node ioredis-publisher.mjs <userId> <generationId>
import Redis from 'ioredis';

const [userId, generationId] = process.argv.slice(2);
const redis = new Redis({
  host: process.env.REDIS_HOST,
  port: Number(process.env.REDIS_PORT),
  password: process.env.REDIS_PASSWORD || undefined,
});

const payload = JSON.stringify({
  generationId,
  userId,
  type: 'product_card',
  status: 'completed',
  timestamp: Date.now(),
  metadata: { resultUrls: ['https://example.org/1.png'], tokensUsed: 10 },
});

await redis.publish('generation:status-updates', payload);
await redis.publish(`generation:user:${userId}`, payload);
redis.disconnect();
