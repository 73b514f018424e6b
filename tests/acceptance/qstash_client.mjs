// What the application does with the real client: reads messages as JSON from standard input, publishes each, and prints
// what it was answered, one JSON object a line. The client's folder, QSTASH_URL and QSTASH_TOKEN come from outside.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.QSTASH_CLIENT, "package.json"));
const { Client } = require("@upstash/qstash");

let text = "";
for await (const chunk of process.stdin) text += chunk;

const client = new Client({ retry: false });
for (const message of JSON.parse(text)) {
  try {
    console.log(JSON.stringify({ answer: await client.publishJSON(message) }));
  } catch (error) {
    console.log(JSON.stringify({ error: { name: error.name, status: error.status, message: error.message } }));
  }
}
