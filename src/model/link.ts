import type { MachineId } from "./names.ts";

/**
 * The link: an agent or edge dials the server and then serves HTTP/2 *back over that connection*, so the server is always the caller.
 * Before HTTP/2 starts, each side sends one line of JSON: the dialler its `LinkHello`, the server its `LinkWelcome`.
 */

/** Raised when either side of the link changes in a way the other would notice. Peers one apart understand each other. */
export const linkVersion = 1;

export interface LinkHello {
  readonly drover: "link";
  readonly version: number;
  readonly role: "agent" | "edge";
  /** Machine for agents, and for edges too: one of each role a machine. */
  readonly machine: string;
  /** An edge whose place another has taken on its machine, and which only finishes what it has. */
  readonly isLeaving?: boolean;
  /** Installation it belongs to; null on its very first contact. */
  readonly installation: string | null;
}

/** Orders carry a fence: receivers refuse a server whose `(epoch, term)` is lower than the highest that they have seen. */
export interface Fence {
  readonly epoch: number;
  readonly term: number;
}

/** What a machine that is no member yet says in place of its hello: the answer is a certificate for its key. */
export interface JoinRequest {
  readonly drover: "join";
  readonly version: number;
  readonly token: string;
  readonly machine: string;
  /** The machine's own key, which never leaves it: its public half as SPKI, DER in base64. */
  readonly publicKey: string;
  /** Shows that it has the private half: a signature over what only the two ends of this very connection know. Base64. */
  readonly proof: string;
}

export type JoinAnswer =
  | {
      readonly drover: "joined";
      readonly version: number;
      readonly installation: string;
      /** PEM. */
      readonly certificate: string;
      /** PEM of the authority that both ends of a link between machines are certified by. */
      readonly authority: string;
    }
  | { readonly drover: "refused"; readonly code: string; readonly message: string; readonly hint: string };

export type LinkWelcome =
  | { readonly drover: "welcome"; readonly version: number; readonly installation: string; readonly fence: Fence }
  | { readonly drover: "refused"; readonly code: string; readonly message: string; readonly hint: string };

export function isFenceLower(fence: Fence, than: Fence): boolean {
  return fence.epoch < than.epoch || (fence.epoch === than.epoch && fence.term < than.term);
}

/*
 * What an agent serves. Bodies are JSON, streams are one JSON value a line (NDJSON) unless said; errors are an ErrorBody with its status.
 *
 *   GET    /watch                               stream of EngineChange; the first is a snapshot; an empty line at least every 5 s
 *   GET    /workloads/{encoded id}              { workload: Workload, or null }: what it was told last, secrets and all
 *   PUT    /workloads/{encoded id}              Workload → 204
 *   DELETE /workloads/{encoded id}?revision=n   → 204
 *   POST   /instances/{encoded id}/drained      → 204
 *   POST   /instances/{encoded id}/restart      → 204
 *   POST   /lease                               LeaseRenewal → LeaseAnswer; see lease.ts
 *   POST   /logs                                LogQuery → stream of LogLine
 *   POST   /logs/search, /logs/count, /logs/context   LogSearch → LogSearchAnswer, LogCount → LogCountAnswer, LogContext → LogContextAnswer
 *   POST   /logs/tail                           LogTail → stream of LogEvent
 *   PUT    /logs/tail/masks                     TailMasks → TailMasked: what a tail under way must not find from now on
 *   PUT    /logs/keep                           { spaces: KeepRules } → 204: how long each space wants its lines kept
 *   GET    /logs/kept                           KeptLogs: what is kept, and since when
 *   POST   /logs/unsent                         UnsentQuestion → UnsentAnswer, once there is something unread or its time is over; see log-shipping.ts
 *   POST   /logs/unsent/read                    UnsentRead → UnsentBatch
 *   POST   /exec                                streams of ExecInput in and ExecOutput out; the first in is `start`
 *   DELETE /apps/{encoded id}                   a destroyed app's volumes and lines → 204; refused with CONFLICT while workloads of it are there
 *   GET    /machine                             Machine
 *   GET    /usage                               Usage: what runs there uses, measured now
 *   POST   /metrics                             { questions: MetricsQuestion[], statsd: InstanceId[] } → { answers: MetricsAnswer[] }: figures that instances tell, asked now
 *   POST   /info                                { questions: InfoQuestion[] } → { answers: InfoAnswer[] }: what instances say of themselves, asked now
 *   POST   /own-log                             LogQuery → stream of LogLine: what the agent itself says
 *   GET    /programs                            ProgramsState: which Drover runs there, and what it could run
 *   PUT    /programs/parts/{digest}             a packed part of another version → 204; refused when the bytes are not the digest's
 *   POST   /programs/give                       { parts: digests } → PartsOffer: gives those of its own Drover away at a port, for a minute after the last use
 *   POST   /programs/parts/{digest}/fetch       { host, port, token }, of another machine's PartsOffer → 204; refused as above
 *   POST   /programs                            ProgramsOrder → 204; the agent then goes on as that version, on trial, and with it its machine's edge and server
 *   POST   /programs/keep                       → 204; the trial is over
 *   POST   /programs/back                       → 204; the same with the version before
 *   PUT    /certificate                         { certificate: PEM }, a younger one for the machine's own key → 204; machines that have joined alone
 *   HEAD   /artifacts/{digest}                  204 or 404
 *   GET    /artifacts/{digest}                  the artifact as a tar stream
 *   PUT    /artifacts/{digest}                  tar stream → 204; refused when the content is not the digest's
 *   GET    /artifacts                           { artifacts: [{ digest, sizeBytes, usedAtMs }] }
 *   DELETE /artifacts/{digest}                  → 204; refused with CONFLICT while a workload uses it
 *   POST   /builds/known?options={encoded BuildOptions}&archive={digest}   { result: BuildResult, or null if that archive was not built so before }
 *   POST   /builds?options={encoded BuildOptions}   source as a tar or tar.gz stream → stream of BuildProgress
 *
 * What both serve.
 *
 *   PUT    /checks                              CheckOrder → 204: what it checks from now on
 *   GET    /check-results                       stream of CheckReport
 *   POST   /checks/run                          { check } → { finding: { isOk, message }, or null without such a check }: one attempt now
 *
 * What an edge serves.
 *
 *   GET    /revision                            { epoch, revision } of its table, and problems: [{ route, port, code, message }] of ports not opened
 *   GET    /table                               { routes: Route[] } that it has
 *   PUT    /table                               RoutingTable → 204 once it is in force in every worker
 *   PATCH  /table                               RoutingPatch → 204 once in force; CONFLICT if its revision is not `from`
 *   GET    /program                             ProgramVersion: what it is
 *   GET    /certificates                        CertificateDigests of what it has
 *   PATCH  /certificates                        CertificateChange → 204 once it is on disk and new connections get it
 *   PUT    /door                                { isPublic } → 204 once its public ports are open, or closed to all that is new; a restart does not change it
 *   POST   /restart                             → 204; another edge then starts on its sockets, and this one leaves when that serves
 *   GET    /draining                            stream of Draining, for instances that left the table; the last one of each has open: 0
 *   GET    /wanted                              stream of { route: RouteId }, or null at first: routes whose requests wait for an instance; NOT_YET_SUPPORTED where none is held
 *   GET    /traffic                             { targets: TargetTraffic[] }
 */

export interface LinkIdentity {
  readonly role: LinkHello["role"];
  readonly machine: MachineId;
  readonly isLeaving: boolean;
  /** It came over the network with a certificate, and not over the server's own socket. */
  readonly isRemote: boolean;
}
