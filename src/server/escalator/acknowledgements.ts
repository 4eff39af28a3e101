import { createHash, randomBytes } from "node:crypto";
import { DroverError } from "#model/errors.ts";
import type { EscalationId, SpaceName } from "#model/names.ts";
import { type AcknowledgeToken, ladderKeys, ladderObjects } from "../objects/ladder-objects.ts";
import { put, remove } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";

/** Whoever was told late can still take note. */
const validMs = 7 * 24 * 3_600_000;

/** Links that let whoever was told take note of one escalation, and nothing else, for as long as it waits for somebody. The store has their hashes only. */
export interface Acknowledgements {
  linkFor(space: SpaceName, escalation: EscalationId): Promise<string>;
  /** What a link's token is for. @throws {DroverError} UNAUTHENTICATED */
  redeem(token: string): { readonly space: SpaceName; readonly escalation: EscalationId };
}

export function createAcknowledgements(store: Store, apiUrl: () => string, nowMs: () => number): Acknowledgements {
  const isOver = ({ space, escalation, untilMs }: AcknowledgeToken) => {
    const outcome = ladderObjects.escalation(store, space, escalation)?.value.outcome;
    return untilMs < nowMs() || outcome?.kind !== "people" || outcome.acknowledged !== null;
  };
  const keyOf = (token: string) => ladderKeys.acknowledgeToken(createHash("sha256").update(token).digest("hex"));
  return {
    linkFor: async (space, escalation) => {
      const token = randomBytes(32).toString("hex");
      const outdated = ladderObjects.acknowledgeTokens(store).filter(({ value }) => isOver(value));
      const value: AcknowledgeToken = { space, escalation, untilMs: nowMs() + validMs };
      await store.commit({ changes: [put(keyOf(token), value), ...outdated.slice(0, 100).map(({ key }) => remove(key))] });
      return `${apiUrl()}/v1/acknowledge/${token}`;
    },
    redeem: (token) => {
      const found = ladderObjects.acknowledgeToken(store, keyOf(token));
      if (found === null || isOver(found.value))
        throw new DroverError("UNAUTHENTICATED", "the link is not valid, or not any more", {
          hint: "Use `drover escalation acknowledge`.",
        });
      return found.value;
    },
  };
}

/** The escalation that a notice asks people about; null when it is about something else. */
export function escalationOf(noticeKey: string): EscalationId | null {
  return noticeKey.startsWith("people:") ? (noticeKey.slice("people:".length) as EscalationId) : null;
}
