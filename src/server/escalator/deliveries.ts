import { randomBytes } from "node:crypto";
import type { Notice, Tell } from "#model/ladder.ts";
import type { SpaceName } from "#model/names.ts";
import { type Delivery, ladderKeys, ladderObjects } from "../objects/ladder-objects.ts";
import { put, remove } from "../objects/objects.ts";
import type { Change, Store } from "../store/store.ts";

/** What waits for one target at most; what comes on top of it is only counted. */
const mostWaiting = 100;
/** Messages that could not be delivered, kept to be seen. */
const keptDead = 50;

/** What is written with a notice so that each target of the ladder is told of it, once, whatever dies. */
export function deliveriesFor(store: Store, space: SpaceName, tells: readonly Tell[], notice: Notice): readonly Change[] {
  const known = ladderObjects.deliveries(store, space);
  const dead = known.filter(({ value }) => value.isDead);
  const changes: Change[] = dead.slice(0, Math.max(0, dead.length - keptDead)).map(({ key }) => remove(key));
  for (const tell of tells) {
    const target = JSON.stringify(tell);
    if (known.filter(({ value }) => !value.isDead && JSON.stringify(value.tell) === target).length >= mostWaiting) continue;
    const id = randomBytes(12).toString("hex");
    const delivery: Delivery = { id, tell, notice, tries: 0, nextAtMs: notice.sinceMs, isDead: false, lastError: null };
    changes.push(put(ladderKeys.delivery(space, id), delivery));
  }
  return changes;
}
