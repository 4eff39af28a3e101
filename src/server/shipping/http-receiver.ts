import { judge, Poster, type PostOptions } from "./post.ts";
import type { Receiver } from "./receiver.ts";
import type { ShippedEvent } from "./shipped-event.ts";

/** Whatever takes a POST of JSON lines. @param headers read for each request, because a secret may have another value by then */
export function httpReceiver(options: PostOptions, headers: () => Readonly<Record<string, string>>): Receiver {
  const poster = new Poster(options);
  return {
    send: async (events, signal) => {
      const body = Buffer.from(events.map((event) => `${JSON.stringify(lineOf(event))}\n`).join(""));
      return judge(await poster.post(body, { ...headers(), "content-type": "application/x-ndjson" }, signal));
    },
    close: () => poster.close(),
  };
}

function lineOf({ id, atMs, statedAtMs, level, source, space, app, process, release, instance, machine, text, fields }: ShippedEvent) {
  const stated = statedAtMs === null ? {} : { stated: new Date(statedAtMs).toISOString() };
  return {
    id,
    time: new Date(atMs).toISOString(),
    ...stated,
    level,
    source,
    space,
    app,
    process,
    release,
    instance,
    machine,
    text,
    fields,
  };
}
