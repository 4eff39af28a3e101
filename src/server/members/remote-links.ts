import { type KeyObject, X509Certificate } from "node:crypto";
import tls from "node:tls";
import { type Address, formatAddress } from "#host/address.ts";
import { errorFields } from "#host/log.ts";
import { addressToDial } from "#host/network.ts";
import { keyPem, newKey } from "#host/x509/make-certificate.ts";
import type { Link } from "#link/caller.ts";
import { acceptSecureLinks } from "#link/secure/accept.ts";
import { keyDigest, machineUri, serverUri } from "#link/secure/names.ts";
import { pause } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Fence } from "#model/link.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import { middleOf, openAuthority } from "../certificates/authority.ts";
import type { EventSink } from "../events/event-log.ts";
import { createToken, findMember, type MembersContext, redeemToken, removeMember } from "./members.ts";

/** A stranger that is slow with its handshake holds nothing for longer. */
const handshakeMs = 5_000;
/** Timers of Node hold at most 2^31 ms, and a clock that is set should be noticed within a day. */
const longestWaitMs = 86_400_000;
/** Between two attempts to give a machine its next certificate; it has weeks left. */
const retryMs = 60_000;

export interface RemoteLinksOptions extends MembersContext {
  /** Where the authority of the links is kept. */
  readonly folder: string;
  readonly address: Address;
  readonly installation: string;
  readonly fence: Fence;
  readonly random: () => number;
  readonly log: Log;
}

/** The links of machines that have joined: who may, by which certificates, and where they dial. */
export interface RemoteLinks {
  /** `HOST:PORT` that machines are to dial. */
  readonly address: string;
  /** Hands over links from now on, until the signal aborts. */
  accept(onLink: (link: Link) => void, signal: AbortSignal): void;
  createToken(
    machine: MachineId,
    labels: Readonly<Record<string, string>>,
  ): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
  /** Makes it a stranger and ends its links. @throws {DroverError} MACHINE_NOT_FOUND */
  /** @param events where it is told */
  remove(machine: MachineId, events?: EventSink): Promise<void>;
  stopped(): Promise<void>;
}

/** Listens where machines dial. @throws {DroverError} PORT_IN_USE */
export async function openRemoteLinks(options: RemoteLinksOptions, signal: AbortSignal): Promise<RemoteLinks> {
  const { store, folder, clock, installation, log } = options;
  const authority = await openAuthority(folder, clock, "link-ca");
  const digest = keyDigest(new X509Certificate(authority.cert).publicKey);
  const key = await newKey();
  const certify = () => authority.certifyLink("Drover server", key, "link-server", serverUri(installation));
  let cert = certify();
  const secure = () => ({ key: keyPem(key), cert: cert + authority.cert, ca: authority.cert, minVersion: "TLSv1.3" }) as const;
  const listener = tls.createServer({ ...secure(), requestCert: true, rejectUnauthorized: false, handshakeTimeout: handshakeMs });
  const port = await listen(listener, options.address);
  const links = new Map<Link, MachineId>();
  const running = new Set<Promise<void>>();
  const own = (work: Promise<void>) => {
    running.add(work);
    void work.finally(() => running.delete(work));
  };
  own(
    (async () => {
      while (!signal.aborted) {
        await pause(clock, Math.min(longestWaitMs, Math.max(retryMs, middleOf(cert) - clock.nowMs())), signal);
        if (clock.nowMs() < middleOf(cert)) continue;
        cert = certify();
        listener.setSecureContext(secure());
      }
    })(),
  );
  signal.addEventListener("abort", () => listener.close(), { once: true });

  const certifyMachine = (machine: string, machineKey: KeyObject) =>
    authority.certifyLink(machine, machineKey, "link-client", machineUri(installation, machine));

  return {
    address: formatAddress(addressToDial({ ...options.address, port })),
    accept: (onLink, until) =>
      acceptSecureLinks(
        {
          ...options,
          listener,
          isMember: (machine, digestOfKey) => findMember(store, machine)?.key === digestOfKey,
          join: async ({ machine, key: machineKey, token }) => {
            await redeemToken(options, token, machine, keyDigest(machineKey));
            return { certificate: certifyMachine(machine, machineKey), authority: authority.cert };
          },
          onLink: (link, certificate) => {
            links.set(link, link.identity.machine);
            link.signal.addEventListener("abort", () => links.delete(link), { once: true });
            if (link.identity.role === "agent") {
              const renewed = () => certifyMachine(link.identity.machine, certificate.publicKey);
              own(keepYoung(link, certificate.toString(), renewed, options, AbortSignal.any([until, link.signal])));
            }
            onLink(link);
          },
        },
        until,
      ),
    createToken: (machine, labels) => createToken(options, machine, digest, labels),
    remove: async (machine, events = options.events) => {
      await removeMember({ ...options, events }, machine);
      for (const [link, of] of links) if (of === machine) link.close();
      log.info("machine removed", { machine });
    },
    stopped: async () => {
      await Promise.all(running);
    },
  };
}

/** Gives the machine its next certificate once half of the life of what it has is over, a little earlier or later for each. */
async function keepYoung(
  link: Link,
  first: string,
  renewed: () => string,
  { clock, random, log }: RemoteLinksOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let cert = first; !signal.aborted; ) {
    const dueMs = middleOf(cert) + (random() - 0.5) * longestWaitMs;
    const leftMs = dueMs - clock.nowMs();
    if (leftMs > 0) {
      await pause(clock, Math.min(leftMs, longestWaitMs), signal);
      continue;
    }
    try {
      const next = renewed();
      await link.call("PUT", "/certificate", signal, { body: { certificate: next } });
      cert = next;
      log.info("certificate of machine renewed", { machine: link.identity.machine });
    } catch (error) {
      if (signal.aborted) return;
      log.warn("certificate of machine not renewed", { machine: link.identity.machine, ...errorFields(error) });
      await pause(clock, retryMs, signal);
    }
  }
}

/** @returns the port, which the system chooses for port 0 */
function listen(server: tls.Server, { host, port }: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const isTaken = hasCode(error, "EADDRINUSE");
      reject(
        isTaken
          ? new DroverError("PORT_IN_USE", `the links of other machines cannot listen on ${formatAddress({ host, port })}: it is taken`, {
              hint: "Stop what listens there, or choose another address with --link HOST:PORT.",
            })
          : error,
      );
    });
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}
