import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { ExecRequest } from "#model/exec.ts";
import type { Principal } from "../access/access-rule.ts";

/** How long a ticket may lie before it is used: the time between two requests of one program. */
const ticketMs = 30_000;
/** Tickets open at once: nobody types faster. */
const maxTickets = 100;

/** Permissions to open one terminal, once: so that no token ever stands in the address of a WebSocket. */
export interface ExecTickets {
  /** @throws {DroverError} OVERLOADED */
  issue(request: ExecRequest, holder: Principal): string;
  /** What the ticket was given for, and to whom; it is used up. @throws {DroverError} UNAUTHENTICATED */
  redeem(ticket: string): { readonly request: ExecRequest; readonly holder: Principal };
}

/** @param newTicket an unguessable text of hex digits. */
export function createExecTickets(clock: Clock, newTicket: () => string): ExecTickets {
  const open = new Map<string, { readonly request: ExecRequest; readonly holder: Principal; readonly untilMs: number }>();
  const forgetOld = () => {
    for (const [ticket, { untilMs }] of open) if (untilMs <= clock.monotonicMs()) open.delete(ticket);
  };
  return {
    issue: (request, holder) => {
      forgetOld();
      if (open.size >= maxTickets)
        throw new DroverError("OVERLOADED", `${maxTickets} exec tickets are open already`, { hint: "Try again in half a minute." });
      const ticket = newTicket();
      open.set(ticket, { request, holder, untilMs: clock.monotonicMs() + ticketMs });
      return ticket;
    },
    redeem: (ticket) => {
      forgetOld();
      const found = open.get(ticket);
      open.delete(ticket);
      if (found !== undefined) return found;
      throw new DroverError("UNAUTHENTICATED", "the exec ticket is unknown, used or older than 30 s", {
        hint: "Ask for a new one; `drover exec` does.",
      });
    },
  };
}
