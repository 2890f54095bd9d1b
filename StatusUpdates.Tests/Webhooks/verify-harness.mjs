// Verifies requests, each as a line of JSON, with the code of docs/webhooks.md and with the package standardwebhooks.
// Usage: node verify-harness.mjs <folder with verify.mjs>. Prints one line for each: {"own":…,"package":…}.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Webhook } from 'standardwebhooks';

const { isGenuine } = await import(pathToFileURL(`${process.argv[2]}/verify.mjs`).href);

for await (const line of createInterface({ input: process.stdin })) {
  const { headers, body, key } = JSON.parse(line);
  const bytes = Buffer.from(body, 'base64');
  console.log(JSON.stringify({ own: isGenuine(headers, bytes, key), package: key.startsWith('whsec_') ? byPackage(headers, bytes, key) : null }));
}

function byPackage(headers, bytes, key) {
  try {
    new Webhook(key).verify(bytes, headers);
    return true;
  } catch (error) {
    if (error.name === 'WebhookVerificationError') {
      return false;
    }

    throw error;
  }
}
