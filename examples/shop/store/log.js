// An append-only log that several instances may write at once: each record is one write to a file opened for appending, which the kernel
// keeps whole, and whoever wrote one learns what came of it by reading the file up to it. So the order of the file is the only truth,
// two instances during a rolling deploy agree, and a killed one loses nothing that it had confirmed.
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";

/** A full log takes no more writes. A shop that gets here has outgrown an example. */
const longestLogBytes = 256 * 2 ** 20;

export class Log {
  #fd;
  #offset = 0;
  #rest = Buffer.alloc(0);
  #apply;
  #outcomes = new Map();

  /** @param apply called with every record in the order of the file; its answer is the outcome of that record. */
  constructor(file, apply) {
    this.#fd = openSync(file, "a+", 0o600);
    this.#apply = apply;
    this.readNew();
  }

  /** Writes a record, brings it to the disk and returns what came of it. */
  append(record) {
    if (this.#offset > longestLogBytes) throw new Error("the log is full");
    const id = randomUUID();
    // The line's end comes first too: a record that a crash cut short then spoils no other.
    writeSync(this.#fd, `\n${JSON.stringify({ id, at: Date.now(), ...record })}\n`);
    fsyncSync(this.#fd);
    this.#outcomes.set(id, undefined);
    this.readNew();
    const outcome = this.#outcomes.get(id);
    this.#outcomes.delete(id);
    return outcome;
  }

  /** Applies what was written since the last time, by us and by others. */
  readNew() {
    const chunk = Buffer.alloc(64 * 1024);
    for (;;) {
      const count = readSync(this.#fd, chunk, 0, chunk.length, this.#offset);
      if (count === 0) return;
      this.#offset += count;
      const lines = Buffer.concat([this.#rest, chunk.subarray(0, count)]);
      const end = lines.lastIndexOf(10) + 1;
      this.#rest = Buffer.from(lines.subarray(end));
      for (const line of lines.toString("utf8", 0, end).split("\n")) this.#applyLine(line);
    }
  }

  close() {
    closeSync(this.#fd);
  }

  #applyLine(line) {
    if (line === "") return;
    let record;
    try {
      record = JSON.parse(line);
    } catch {
      console.error(`passed over a record of ${line.length} bytes that a crash cut short`);
      return;
    }
    const outcome = this.#apply(record);
    if (this.#outcomes.has(record.id)) this.#outcomes.set(record.id, outcome);
  }
}
