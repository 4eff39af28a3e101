import { errorFields } from "#host/log.ts";
import type { KeyPair } from "#host/x509/make-certificate.ts";
import type { MachineIdentity } from "#model/certificates.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import type { Endpoint } from "#model/routing-table.ts";
import { type Authority, middleOf } from "../certificates/authority.ts";
import { followStore } from "../controllers/follow-store.ts";
import type { Store } from "../store/store.ts";
import { findMember, listMembers } from "./members.ts";

/** Timers of Node hold at most 2^31 ms, and a clock that is set should be noticed within a day. */
const longestWaitMs = 86_400_000;
/** Digits of a member's key in its name: 64 bits, which nobody finds another key for. */
const keyDigits = 16;
const domain = "machine.drover";

export interface MachineIdentitiesOptions {
  readonly store: Store;
  readonly authority: Authority;
  /** Where every machine takes what others send to its instances. */
  readonly entry: { readonly host: string; readonly port: number };
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Who the machines are to each other where their traffic is encrypted. A name is made of the key that the machine joined with, so that what a machine was
 * certified as ends with its membership. Nothing of it is stored: after its start a server gives every edge a certificate of its own, and what is open stays.
 */
export class MachineIdentities {
  readonly #options: MachineIdentitiesOptions;
  readonly #pairs = new Map<string, Promise<KeyPair>>();

  constructor(options: MachineIdentitiesOptions) {
    this.#options = options;
  }

  /** Where others send what is for the machine's instances. */
  entryOf(machine: MachineId): NonNullable<Endpoint["entry"]> {
    return { name: this.#nameOf(machine), port: this.#options.entry.port };
  }

  async of(machine: MachineId): Promise<MachineIdentity> {
    const { store, authority, entry, clock } = this.#options;
    const name = this.#nameOf(machine);
    let pair = this.#pairs.get(name);
    if (pair === undefined || clock.nowMs() >= middleOf((await pair).cert)) {
      pair = authority.issueMachine(machine, name);
      this.#pairs.set(name, pair);
    }
    const { key, cert } = await pair;
    const members = [serverName, ...listMembers(store).map((member) => memberName(member))];
    return { name, chain: cert, key, authority: authority.cert, entry, members };
  }

  /** Tells when what the edges have should be looked at: a machine joined or went, or a certificate is to be renewed. Ends when the signal aborts. */
  async follow(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const keepYoung = async () => {
      while (!signal.aborted) {
        const pairs = await Promise.all(this.#pairs.values());
        const dueMs = Math.min(...pairs.map(({ cert }) => middleOf(cert)));
        await pause(clock, Math.min(longestWaitMs, Math.max(1_000, dueMs - clock.nowMs())), signal);
        this.#forgetOthers();
        onChange();
      }
    };
    const watch = followStore("/machines/", onChange, onChange, this.#options, signal);
    await Promise.all([watch, keepYoung()]).catch((error: unknown) => {
      if (!signal.aborted) log.error("certificates of machines are not renewed any more", errorFields(error));
    });
  }

  #forgetOthers(): void {
    const known = new Set([serverName, ...listMembers(this.#options.store).map((member) => memberName(member))]);
    for (const name of this.#pairs.keys()) if (!known.has(name)) this.#pairs.delete(name);
  }

  #nameOf(machine: MachineId): string {
    const member = findMember(this.#options.store, machine);
    return member === null ? serverName : memberName(member);
  }
}

/** Of the machine beside the server, which has not joined. No member can have it: there is no digest of a key that is called so. */
const serverName = `server.${domain}`;

function memberName({ name, key }: { readonly name: string; readonly key: string }): string {
  return `${name}.${key.slice(0, keyDigits)}.${domain}`;
}
