import type { Shelf } from "../app-log.ts";
import { frameBytes } from "../frame.ts";
import { DamagedSegmentError } from "../sealed-segment.ts";
import { framesIn, readSegment } from "../segment.ts";

/** Counts that are kept: one for each app and destination that nothing has been sent to yet. */
const mostKept = 1_000;

interface Count {
  readonly lines: number;
  readonly bytes: number;
}

/**
 * What a segment holds from before a moment: lines that a destination which was declared then does not get. Each segment is read once for it, since the
 * count is final as soon as there is a younger line.
 */
export class OlderLines {
  readonly #known = new Map<string, Count>();

  /** @param shelf with a line that is not older than `sinceMs` */
  async of(shelf: Shelf, sinceMs: number): Promise<Count> {
    if (shelf.firstAtMs >= sinceMs) return { lines: 0, bytes: 0 };
    const key = `${shelf.file} ${sinceMs}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const counted = await count(shelf, sinceMs);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= mostKept && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, counted);
    return counted;
  }
}

async function count({ file, bytes: limitBytes }: Shelf, sinceMs: number): Promise<Count> {
  let [lines, bytes] = [0, 0];
  try {
    for (const { frame } of framesIn(await readSegment(file, limitBytes))) {
      if (frame.atMs >= sinceMs) continue;
      lines += frame.lines;
      bytes += frameBytes(frame);
    }
  } catch (error) {
    // Whoever reads it to send it says so.
    if (!(error instanceof DamagedSegmentError)) throw error;
  }
  return { lines, bytes };
}
