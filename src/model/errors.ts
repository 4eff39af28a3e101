/**
 * Every failure that someone can act on, by its stable code. Callers branch on the code, never on text.
 *
 * - `status`: the HTTP status that the API answers with.
 * - `exit`: the exit code of the CLI (1 failed, 2 usage or refused, 4 unhealthy, 5 timed out, 6 not allowed, 7 not found, 8 conflict, 9 cannot place).
 * - `retryable`: whether the same call may succeed later with nothing changed by the caller.
 * - `meaning`: one sentence for the reference page of error codes.
 */
export const errorCodes = {
  MANIFEST_INVALID: { status: 422, exit: 2, retryable: false, meaning: "A manifest does not fit the schema; details list each place." },
  NOT_YET_SUPPORTED: {
    status: 422,
    exit: 2,
    retryable: false,
    meaning: "The manifest uses a key that this version knows but cannot honour yet.",
  },
  REQUEST_INVALID: { status: 400, exit: 2, retryable: false, meaning: "A request's path, query or body does not fit the API." },
  NAME_INVALID: { status: 422, exit: 2, retryable: false, meaning: "A name is not a DNS label." },
  USAGE: { status: 400, exit: 2, retryable: false, meaning: "A command was called with arguments that do not fit." },
  CONFIRMATION_NEEDED: { status: 409, exit: 2, retryable: false, meaning: "The command destroys something and needs a yes." },
  BODY_TOO_LARGE: { status: 413, exit: 2, retryable: false, meaning: "A request body is over its limit." },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    exit: 2,
    retryable: false,
    meaning: "The API reads JSON, and raw bytes where its reference says so.",
  },
  ROUTE_UNKNOWN: { status: 404, exit: 7, retryable: false, meaning: "The API has no such path." },
  METHOD_NOT_ALLOWED: { status: 405, exit: 2, retryable: false, meaning: "The path exists but not with that method." },
  UNAUTHENTICATED: { status: 401, exit: 6, retryable: false, meaning: "The request carries no valid token." },
  FORBIDDEN: { status: 403, exit: 6, retryable: false, meaning: "The request comes from a place or for a host that is not allowed." },
  NOT_ALLOWED: {
    status: 403,
    exit: 6,
    retryable: false,
    meaning: "The token's role, or the spaces that it is for, do not allow the request.",
  },
  SPACE_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no space of that name." },
  APP_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no app of that name in the space." },
  PROCESS_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The app has no process of that name." },
  RELEASE_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The app has no such release, or it is no longer kept." },
  INSTANCE_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no running instance of that name." },
  ROUTE_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "No app has such a route." },
  METRIC_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "Nothing is known of a metric of that name." },
  METRICS_UNREACHABLE: {
    status: 502,
    exit: 1,
    retryable: true,
    meaning: "Where figures are kept, by --metrics-from, did not answer as it should.",
  },
  MACHINE_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no machine of that name." },
  WEB_UI_UNAVAILABLE: { status: 503, exit: 1, retryable: true, meaning: "The pages of the web UI could not be bundled from its sources." },
  TOKEN_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no token of that name, or it was revoked." },
  SESSION_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no such session of the web UI, or it has ended." },
  SECRET_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The space has no secret of that name." },
  CHECK_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The space has no check of that name at that target." },
  ESCALATION_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The space has no such escalation, or it is no longer kept." },
  LOG_QUERY_INVALID: { status: 400, exit: 2, retryable: false, meaning: "A search of logs is not written as searches are." },
  SEARCH_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The space has no saved search of that name." },
  KEY_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no such key." },
  SOURCE_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The source archive was not uploaded, or was collected since." },
  ARTIFACT_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The artifact is not stored here." },
  CONFLICT: { status: 409, exit: 8, retryable: true, meaning: "Somebody else changed the object since it was read." },
  PRECONDITION_FAILED: { status: 412, exit: 8, retryable: false, meaning: "The If-Match revision is not the current one." },
  IDEMPOTENCY_KEY_REUSED: { status: 422, exit: 8, retryable: false, meaning: "The idempotency key was used before with another request." },
  COMPACTED: {
    status: 410,
    exit: 1,
    retryable: false,
    meaning: "The watch asks for history that is no longer kept; list again and watch from there.",
  },
  REVISION_IN_FUTURE: { status: 400, exit: 2, retryable: false, meaning: "The watch asks for a revision that does not exist yet." },
  STORAGE_FULL: { status: 507, exit: 1, retryable: true, meaning: "The disk of the store is full; reads and traffic go on." },
  STORE_DAMAGED: {
    status: 500,
    exit: 1,
    retryable: false,
    meaning: "The store's file is damaged; the message names the place and the backup to restore.",
  },
  STORE_TOO_NEW: { status: 500, exit: 1, retryable: false, meaning: "The store was written by a newer Drover." },
  STORE_IN_USE: { status: 500, exit: 2, retryable: false, meaning: "Another server has this data directory open." },
  RUNTIME_TOO_OLD: { status: 500, exit: 2, retryable: false, meaning: "This Node is too old, or carries a part that is." },
  HOME_IN_USE: { status: 500, exit: 2, retryable: false, meaning: "Another Drover runs on this home directory." },
  PORT_IN_USE: { status: 500, exit: 2, retryable: true, meaning: "An address that Drover or an app should listen on is taken." },
  ROUTER_UNUSABLE: {
    status: 500,
    exit: 2,
    retryable: false,
    meaning: "The router that was asked for is not there, too old, or does not start.",
  },
  SERVER_UNREACHABLE: { status: 503, exit: 1, retryable: true, meaning: "The command could not reach the server." },
  OVERLOADED: { status: 503, exit: 1, retryable: true, meaning: "A bound was reached; try again after the stated time." },
  CLUSTER_UNREACHABLE: { status: 503, exit: 1, retryable: true, meaning: "No agent is linked that could do this now." },
  LEASE_OVER: {
    status: 409,
    exit: 1,
    retryable: true,
    meaning: "What must never run twice may not run there: the server has not said so.",
  },
  ORDER_OUTDATED: { status: 409, exit: 8, retryable: false, meaning: "An order is older than one that was already obeyed." },
  INSTALLATION_MISMATCH: { status: 409, exit: 2, retryable: false, meaning: "The agent or edge belongs to another installation." },
  JOIN_REFUSED: {
    status: 403,
    exit: 6,
    retryable: false,
    meaning: "A machine may not join: its token was used, has expired, is for another name, or is none.",
  },
  SSH_FAILED: {
    status: 502,
    exit: 1,
    retryable: true,
    meaning: "A host could not be reached or worked on over SSH; the message says why.",
  },
  HOST_KEY_CHANGED: {
    status: 409,
    exit: 6,
    retryable: false,
    meaning: "A host shows another SSH key than the one that was pinned when it was first seen.",
  },
  HOST_UNFIT: {
    status: 422,
    exit: 2,
    retryable: false,
    meaning: "A host lacks what a machine needs; each fault is named with its remedy, and nothing was changed there.",
  },
  UPGRADE_FAILED: {
    status: 409,
    exit: 4,
    retryable: false,
    meaning: "A machine was not as before after it went over to another Drover; it went back, and the upgrade ended there.",
  },
  HOSTS_FAILED: {
    status: 409,
    exit: 1,
    retryable: true,
    meaning: "Some hosts of many did not become machines; each is named with its reason.",
  },
  CERTIFICATE_REFUSED: {
    status: 403,
    exit: 6,
    retryable: false,
    meaning: "One end of a link between machines does not accept the other's certificate; the message says why.",
  },
  CANNOT_PLACE: { status: 409, exit: 9, retryable: true, meaning: "No machine has room for what the app asks for." },
  BUILD_SOURCE_UNKNOWN: { status: 422, exit: 2, retryable: false, meaning: "The source holds nothing that Drover knows how to run." },
  BUILD_FAILED: { status: 422, exit: 1, retryable: false, meaning: "The build command failed; its last lines are in the details." },
  BUILD_TIMED_OUT: { status: 422, exit: 5, retryable: false, meaning: "The build took longer than its limit." },
  BUILD_LIMIT: { status: 422, exit: 1, retryable: false, meaning: "The build used more memory, disk or files than its limit." },
  ARCHIVE_UNSAFE: {
    status: 422,
    exit: 2,
    retryable: false,
    meaning: "An archive has an entry that would leave its folder or is of a kind that is not allowed.",
  },
  ADDRESS_REFUSED: {
    status: 422,
    exit: 6,
    retryable: false,
    meaning: "A call that was asked for would have gone to an address inside, such as loopback or a metadata service.",
  },
  POOL_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "The space has no pool of that name." },
  PROVIDER_FAILED: {
    status: 502,
    exit: 1,
    retryable: true,
    meaning: "A command of a pool's provider could not be run, or exited with an error.",
  },
  PROVIDER_TIMED_OUT: { status: 504, exit: 5, retryable: true, meaning: "A command of a pool's provider did not end within its time." },
  PROVIDER_ANSWER_INVALID: {
    status: 502,
    exit: 1,
    retryable: false,
    meaning: "A pool's provider answered with something else than the list of its machines.",
  },
  CHECK_UNDECIDED: {
    status: 409,
    exit: 4,
    retryable: true,
    meaning: "A check over a time has seen too little since the last step to say anything yet.",
  },
  CHECK_IMPOSSIBLE: { status: 422, exit: 2, retryable: false, meaning: "A check cannot be made from here, so it says nothing either way." },
  ARCHIVE_INVALID: { status: 422, exit: 2, retryable: false, meaning: "An archive cannot be read, or is over its limits." },
  DIGEST_MISMATCH: { status: 422, exit: 2, retryable: false, meaning: "The content is not what its digest says." },
  RELEASE_FAILED: { status: 409, exit: 4, retryable: false, meaning: "The release did not become ready and was rolled back." },
  UNHEALTHY: { status: 409, exit: 4, retryable: true, meaning: "Something that should run or be ready is not." },
  TIMED_OUT: { status: 504, exit: 5, retryable: true, meaning: "The stated time passed before the wanted state was reached." },
  SECRET_MISSING: { status: 422, exit: 2, retryable: false, meaning: "The app names a secret that the space does not have." },
  SECRET_KEY_UNUSABLE: { status: 500, exit: 1, retryable: false, meaning: "The key that seals the secrets is missing or does not fit." },
  CERTIFICATE_NOT_FOUND: { status: 404, exit: 7, retryable: false, meaning: "There is no such certificate." },
  CERTIFICATE_INVALID: {
    status: 422,
    exit: 2,
    retryable: false,
    meaning: "A certificate or its key cannot be used; the message says why.",
  },
  ACME_FAILED: { status: 502, exit: 1, retryable: true, meaning: "The certificate authority refused an order, or could not be reached." },
  VARIABLE_MISSING: {
    status: 422,
    exit: 2,
    retryable: false,
    meaning: "The manifest names a ${VARIABLE} that the environment file does not give.",
  },
  EXEC_FAILED: { status: 422, exit: 1, retryable: false, meaning: "The command could not be started in the instance." },
  VERSION_MISMATCH: { status: 400, exit: 2, retryable: false, meaning: "Two programs are more than one version apart." },
  INTERNAL: {
    status: 500,
    exit: 1,
    retryable: false,
    meaning: "A defect in Drover; the server's log has the details under the request id.",
  },
} as const satisfies Record<string, { status: number; exit: number; retryable: boolean; meaning: string }>;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorOptionsWithHint extends ErrorOptions {
  /** The next step for whoever reads it: a full sentence. */
  readonly hint?: string;
  /** Facts for programs; JSON values only, never secrets. */
  readonly details?: unknown;
}

/** A failure that someone can act on. The message is a lower-case fragment that says what was attempted and quotes values. */
export class DroverError extends Error {
  override readonly name = "DroverError";
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithHint = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint ?? "";
    this.details = options.details ?? null;
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }
}

/** The form in which errors cross the API and the link, and in which the CLI prints them with `--json`. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly details: unknown;
}

export function toErrorBody(error: unknown): ErrorBody {
  if (error instanceof DroverError) return { code: error.code, message: error.message, hint: error.hint, details: error.details };
  return { code: "INTERNAL", message: "an internal error occurred", hint: "The log of the program has the details.", details: null };
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

/** Rebuilds an error that crossed the API or the link. Unknown codes (from a newer peer) become `INTERNAL` with the peer's own words. */
export function fromErrorBody(body: { code: string; message: string; hint?: string | undefined; details?: unknown }): DroverError {
  const code = isErrorCode(body.code) ? body.code : "INTERNAL";
  return new DroverError(code, body.message, { hint: body.hint ?? "", details: body.details ?? null });
}

/** Whether `error` is a system error (or one of ours) with this code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}
