import { join } from "node:path";
import type { Home } from "#host/home.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { Store } from "../store/store.ts";
import type { Principal } from "./access-rule.ts";
import { createLives, type Lives } from "./lives.ts";
import { openOwnerToken } from "./owner-token.ts";
import { openSessions, type Sessions } from "./sessions.ts";
import { createTokens, type Tokens } from "./tokens.ts";

export interface AccessOptions {
  readonly home: Home;
  readonly store: Store;
  /** Whether browsers reach the API over TLS. */
  readonly isSecure: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** 64 unguessable hex digits. */
  readonly newSecret: () => string;
}

/** Who may in, by which token or session, and for how long. */
export interface Access {
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly lives: Lives;
}

/** Makes the owner's token at the first start. */
export async function openAccess({ home, store, ...options }: AccessOptions, stopping: AbortSignal): Promise<Access> {
  const tokens = createTokens({ ...options, store, owner: await openOwnerToken(home) });
  const file = join(home.server, "sessions.json");
  const sessions = await openSessions({ ...options, file, installation: store.installation, tokens });
  const isValid = ({ session, token }: Principal) => (session === null ? tokens.holder(token) : sessions.holder(session)) !== null;
  return { tokens, sessions, lives: createLives({ isValid, clock: options.clock }, stopping) };
}
