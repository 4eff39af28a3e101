// Keys and queues over HTTP.
//   GET    /keys?prefix=p           all keys that start with p, with their values
//   GET    /keys/{kind}/{name}      the value; its version is the ETag
//   PUT    /keys/{kind}/{name}      with If-Match: only that version; "0" for a key that must be new
//   POST   /queues/{name}           puts a job at the end
//   POST   /queues/{name}/take      the next job, ours for 30 s; 204 if there is none
//   DELETE /queues/{name}/{job}     done with it
import { createServer } from "node:http";
import { join } from "node:path";
import { Log } from "./log.js";

const leaseMs = 30_000;
const longestBodyBytes = 64 * 1024;
const keys = new Map();
const queues = new Map();

/** Plays one record. Looks at nothing but the record and what is before it, so that every instance comes to the same. */
function apply(record) {
  switch (record.op) {
    case "put": {
      const version = keys.get(record.key)?.version ?? 0;
      if (record.ifVersion !== undefined && record.ifVersion !== version) return null;
      keys.set(record.key, { value: record.value, version: version + 1 });
      return version + 1;
    }
    case "push":
      queueOf(record.queue).set(record.id, { job: record.id, value: record.value, freeAt: 0, attempts: 0 });
      return record.id;
    case "take":
      for (const entry of queueOf(record.queue).values()) {
        if (entry.freeAt > record.at) continue;
        entry.freeAt = record.at + leaseMs;
        entry.attempts++;
        return { job: entry.job, value: entry.value, attempts: entry.attempts };
      }
      return null;
    case "done":
      return queueOf(record.queue).delete(record.job);
  }
}

function queueOf(name) {
  if (!queues.has(name)) queues.set(name, new Map());
  return queues.get(name);
}

const log = new Log(join(process.env.DATA_DIR ?? ".", "store.log"), apply);

async function answer(request, response) {
  const url = new URL(request.url, "http://store");
  const [kind, name, rest] = url.pathname.split("/").slice(1).map(decodeURIComponent);
  const say = (status, body, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };
  log.readNew();
  switch (`${request.method} ${kind}${name === undefined ? "" : "/*"}${rest === undefined ? "" : "/*"}`) {
    case "GET ready":
      return say(200, { keys: keys.size });
    case "GET keys": {
      const prefix = url.searchParams.get("prefix") ?? "";
      return say(
        200,
        [...keys].filter(([key]) => key.startsWith(prefix)).map(([key, { value }]) => ({ key, value })),
      );
    }
    case "GET keys/*/*": {
      const found = keys.get(`${name}/${rest}`);
      return found === undefined ? say(404, { error: "no such key" }) : say(200, found.value, { etag: `"${found.version}"` });
    }
    case "PUT keys/*/*": {
      const match = request.headers["if-match"];
      const ifVersion = match === undefined ? undefined : Number(match.replaceAll('"', ""));
      const version = log.append({ op: "put", key: `${name}/${rest}`, value: await bodyOf(request), ifVersion });
      return version === null ? say(412, { error: "the key has changed" }) : say(200, { version }, { etag: `"${version}"` });
    }
    case "POST queues/*":
      return say(201, { job: log.append({ op: "push", queue: name, value: await bodyOf(request) }) });
    case "POST queues/*/*": {
      // Looked at first, so that waiting workers do not fill the log with nothing.
      if (![...queueOf(name).values()].some(({ freeAt }) => freeAt <= Date.now())) return say(204);
      const taken = log.append({ op: "take", queue: name });
      return taken === null ? say(204) : say(200, taken);
    }
    case "DELETE queues/*/*":
      return say(log.append({ op: "done", queue: name, job: rest }) ? 200 : 404, {});
    default:
      return say(404, { error: "no such path" });
  }
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > longestBodyBytes) throw new Error("the body is too long");
  }
  return JSON.parse(text);
}

const server = createServer((request, response) =>
  answer(request, response).catch((error) => {
    console.error(`${request.method} ${request.url}: ${error.message}`);
    response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ error: error.message }));
  }),
);
server.keepAliveTimeout = 60_000;
server.listen(process.env.PORT, "127.0.0.1", () => console.log(`keeping ${keys.size} keys on port ${process.env.PORT}`));
process.on("SIGTERM", () => {
  server.close(() => {
    log.close();
    console.log("all requests answered, stopping");
  });
  server.closeIdleConnections();
});
