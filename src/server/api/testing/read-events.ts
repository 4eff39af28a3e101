export interface ReadEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: unknown;
}

/** The first `count` server-sent events of an answer, which is then let go. */
export async function readEvents(response: Response, count: number): Promise<readonly ReadEvent[]> {
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  const events: ReadEvent[] = [];
  let pending = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    pending += chunk;
    for (let end = pending.indexOf("\n\n"); end !== -1; end = pending.indexOf("\n\n")) {
      const fields = new Map(
        pending
          .slice(0, end)
          .split("\n")
          .map((line): [string, string] => splitField(line)),
      );
      pending = pending.slice(end + 2);
      const data = fields.get("data");
      if (data === undefined) continue;
      events.push({ id: fields.get("id") ?? null, event: fields.get("event") ?? "message", data: JSON.parse(data) });
      if (events.length === count) return events;
    }
  }
  throw new Error(`the stream ended after ${events.length} of ${count} events`);
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(": ");
  return [line.slice(0, at), line.slice(at + 2)];
}
