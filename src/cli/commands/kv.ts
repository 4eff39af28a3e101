import { apiPath } from "../api/client.ts";
import { defaultSpace } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { readInput } from "../prompt.ts";

/** The store's own bound. */
const longestValue = 2 ** 20;

/** Keys of one page of a listing. */
const pageKeys = 1_000;

interface Page {
  readonly keys: readonly { readonly key: string }[];
  readonly revision: number;
  readonly more: boolean;
}

interface KeyChanges {
  readonly revision: number;
  readonly changes: readonly { readonly kind: "put" | "delete"; readonly key: string }[];
}

const get = {
  summary: "print a key's value",
  configure: (command) => command.argument("<key>", "the key"),
  async run(session, { args: [key = ""] }) {
    const { api, out, signal } = session;
    const value = await api.bytes("GET", keyPath(session, key), signal);
    if (out.json) out.value({ key, value: value.toString("utf8"), base64: value.toString("base64") });
    else out.raw(value);
    return 0;
  },
} satisfies Verb & { summary: string };

const put = {
  summary: "set a key, to an argument or to what standard input holds",
  configure: (command) => command.argument("<key>", "the key").argument("[value]", "the value (default: standard input)"),
  async run(session, { args: [key = "", value] }) {
    const { api, out, signal } = session;
    const bytes = value === undefined ? await readInput(session, longestValue, "the value") : Buffer.from(value);
    const { Readable } = process.getBuiltinModule("node:stream");
    const answer = await api.call("PUT", keyPath(session, key), signal, {
      upload: Readable.from([bytes], { objectMode: false }),
      headers: { "content-type": "application/octet-stream", "content-length": String(bytes.length) },
    });
    if (out.json) out.value(answer ?? { key });
    return 0;
  },
} satisfies Verb & { summary: string };

const list = {
  summary: "list keys",
  configure: (command) => command.argument("[prefix]", "only keys that start with this"),
  async run(session, { args: [prefix] }) {
    const { api, out, signal } = session;
    const keys: { readonly key: string }[] = [];
    let page: Page;
    do {
      const query = { prefix, limit: pageKeys, after: keys.at(-1)?.key };
      page = await api.call<Page>("GET", apiPath(["spaces", spaceOf(session), "kv"], query), signal);
      keys.push(...page.keys);
      if (!out.json) for (const { key } of page.keys) out.line(key);
    } while (page.more && page.keys.length > 0);
    if (out.json) out.value({ keys, revision: page.revision });
    return 0;
  },
} satisfies Verb & { summary: string };

const remove = {
  summary: "remove a key",
  configure: (command) => command.argument("<key>", "the key"),
  async run(session, { args: [key = ""] }) {
    const { api, out, signal } = session;
    const answer = await api.call("DELETE", keyPath(session, key), signal);
    if (out.json) out.value(answer ?? { key });
    return 0;
  },
} satisfies Verb & { summary: string };

const watch = {
  summary: "print changes of keys as they come",
  configure: (command) => command.argument("[prefix]", "only keys that start with this"),
  async run(session, { args: [prefix] }) {
    const { api, out, signal } = session;
    const path = apiPath(["spaces", spaceOf(session), "watch"], { prefix });
    for await (const batch of api.stream<KeyChanges>("GET", path, signal)) {
      if (out.json) out.streamed(batch);
      else for (const { kind, key } of batch.changes) out.line(`${batch.revision} ${kind} ${key}`);
    }
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { get, put, ls: list, rm: remove, watch } } satisfies Noun;

function spaceOf(session: Session): string {
  return session.common.space ?? defaultSpace;
}

/** Keys may have slashes, which are parts of the path. */
function keyPath(session: Session, key: string): string {
  return apiPath(["spaces", spaceOf(session), "kv", ...key.split("/")]);
}
