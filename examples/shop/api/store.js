// Calls of the store.
const url = process.env.STORE_URL;
const timeoutMs = 5_000;

async function call(method, path, { body, headers = {} } = {}) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status === 404) return null;
  if (!response.ok)
    throw Object.assign(new Error(`the store answered ${response.status} to ${method} ${path}`), { status: response.status });
  return { value: response.status === 204 ? null : await response.json(), version: response.headers.get("etag") };
}

/** `{ value, version }`, or null if there is no such key. Keys are of the form `kind/name`. */
export const get = (key) => call("GET", `/keys/${key}`);
export const list = async (prefix) => (await call("GET", `/keys?prefix=${encodeURIComponent(prefix)}`)).value;
/** With a version, only if it is still the one: else an error with status 412. */
export const put = (key, value, version) =>
  call("PUT", `/keys/${key}`, { body: value, headers: version === undefined ? {} : { "if-match": version } });
export const push = (queue, value) => call("POST", `/queues/${queue}`, { body: value });
export const ping = () => call("GET", "/ready");
