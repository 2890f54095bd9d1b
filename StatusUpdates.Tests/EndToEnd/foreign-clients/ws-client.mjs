// Watches a user's generations. Usage: node ws-client.mjs <ws://host/ws/status> <token>
// Prints each message on a line and ends when a generation has reached a final status.
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
const ws = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });

ws.on('message', (data) => {
  const message = JSON.parse(data);
  console.log(JSON.stringify(message));
  if (message.type === 'status_update' && ['completed', 'failed', 'canceled'].includes(message.payload.status)) {
    ws.close();
  }
});

ws.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
