// Serves the folder named by the first argument on $PORT. It lies in the artifact of a static site and runs under any Node from 18 on,
// so it is plain JavaScript with no dependency.
import { createReadStream } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream";

const root = await realpath(process.argv[2] ?? ".");

const types = {
  ".avif": "image/avif",
  ".css": "text/css; charset=utf-8",
  ".gif": "image/gif",
  ".htm": "text/html; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".mp3": "audio/mpeg",
  ".mp4": "video/mp4",
  ".otf": "font/otf",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webm": "video/webm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".xml": "application/xml",
};

/** Files of the app that are not part of the site. Names with a dot in front are none either, but for /.well-known. */
const notServed = new Set(["Procfile", "drover.yaml", "drover.yml", "package.json", "package-lock.json"]);

/** The names on the way to a file, or null for a path that no link on the site has. */
function partsOf(url) {
  let path;
  try {
    path = decodeURIComponent(new URL(`http://site${url}`).pathname);
  } catch {
    return null; // No URL, or escapes that are none.
  }
  if (/[\0-\x1f\\]/.test(path)) return null;
  const parts = path.split("/").slice(1);
  const last = parts.length - 1;
  const isFine = (part, i) => (part !== "" || i === last) && (!part.startsWith(".") || (i === 0 && part === ".well-known"));
  return parts.every(isFine) && !notServed.has(parts[0]) ? parts : null;
}

/** Opens a regular file inside the root, through whatever links; null if there is none. */
async function openInside(path) {
  try {
    const real = await realpath(path);
    if (real !== root && !real.startsWith(root + sep)) return null;
    const handle = await open(real, "r");
    const stat = await handle.stat();
    if (stat.isFile()) return { handle, stat, name: real };
    await handle.close();
    return stat.isDirectory() ? "folder" : null;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG"].includes(error.code)) return null;
    throw error;
  }
}

/** The file for a request's path: itself, a folder's index.html, or, without an extension, the page of that name. */
async function find(parts) {
  const path = join(root, ...parts);
  if (parts.at(-1) === "") return { file: await openInside(join(path, "index.html")) };
  const file = await openInside(path);
  if (file === "folder") return { redirect: true };
  return { file: file ?? (extname(path) === "" ? await openInside(`${path}.html`) : null) };
}

/** One range of bytes, `null` for the whole, `undefined` for one that the file does not have (RFC 9110, section 14). */
function rangeOf(header, size) {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === undefined || (from === "" && to === "")) return null;
  const start = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  return start <= end && start < size ? { start, end } : undefined;
}

function isUnchanged(request, etag, modifiedMs) {
  const known = request.headers["if-none-match"];
  if (known !== undefined) return known === "*" || known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
  return Date.parse(request.headers["if-modified-since"] ?? "") >= modifiedMs;
}

function say(response, status, text, headers = {}) {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(text), ...headers });
  response.end(response.req.method === "HEAD" ? undefined : text);
}

async function answer(request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") return say(response, 405, "method not allowed\n", { allow: "GET, HEAD" });
  const parts = partsOf(request.url);
  const found = parts === null ? { file: null } : await find(parts);
  if (found.redirect) {
    const { pathname, search } = new URL(`http://site${request.url}`);
    return say(response, 308, "", { location: `${pathname}/${search}` });
  }
  const missing = found.file === null || found.file === "folder";
  const file = missing ? await openInside(join(root, "404.html")) : found.file;
  if (file === null || file === "folder") return say(response, 404, "not found\n");
  const { handle, stat, name } = file;
  // Whole seconds, because that is all that Last-Modified can say.
  const modifiedMs = Math.floor(stat.mtimeMs / 1000) * 1000;
  const etag = `"${stat.size.toString(36)}-${Math.floor(stat.mtimeMs).toString(36)}"`;
  const headers = {
    "content-type": types[extname(name).toLowerCase()] ?? "application/octet-stream",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "last-modified": new Date(modifiedMs).toUTCString(),
    "accept-ranges": "bytes",
    etag,
  };
  if (!missing && isUnchanged(request, etag, modifiedMs)) {
    await handle.close();
    return response.writeHead(304, headers).end();
  }
  const hasOurs = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
  const range = missing || !hasOurs ? null : rangeOf(request.headers.range, stat.size);
  if (range === undefined) {
    await handle.close();
    return say(response, 416, "range not satisfiable\n", { "content-range": `bytes */${stat.size}` });
  }
  const { start, end } = range ?? { start: 0, end: stat.size - 1 };
  if (range !== null) headers["content-range"] = `bytes ${start}-${end}/${stat.size}`;
  response.writeHead(missing ? 404 : range === null ? 200 : 206, { ...headers, "content-length": end - start + 1 });
  if (request.method === "HEAD" || stat.size === 0) {
    await handle.close();
    return response.end();
  }
  // Closes the file on every way out. A visitor who leaves is no failure.
  return pipeline(createReadStream("", { fd: handle, start, end }), response, () => {});
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(`cannot serve ${JSON.stringify(request.url)}: ${error.message}`);
    if (response.headersSent) response.destroy();
    else say(response, 500, "internal error\n");
  });
});
server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1", () =>
  console.log(`serving on port ${server.address().port}`),
);
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
