/** From the least to the most: each may what those before it may. */
export const roles = ["viewer", "deployer", "operator", "owner"] as const;
export type Role = (typeof roles)[number];

interface RightEntry {
  /** The least role that has it. */
  readonly role: Role;
  /** What it allows, for the reference. */
  readonly allows: string;
}

/**
 * What there is to be allowed. Whoever decides what code of an app runs has all that the code has, so `enter` asks for no more than `deploy`;
 * what reaches beyond apps, or lets something be done that was held back for a person, asks for an operator; and who may what, for an owner, as does
 * what could read the owner's token: code that runs as Drover itself does.
 */
export const rights = {
  read: {
    role: "viewer",
    allows:
      "see apps, releases, instances, logs, environments, routes, checks, ladders, escalations, pools, events, figures and the key-value store; names of secrets, never values; what a manifest would change",
  },
  deploy: {
    role: "deployer",
    allows:
      "build, push, apply, scale, restart, roll back, stop and destroy apps; maintenance; a space's domain and environment; write the key-value store; make a check now; call in for a heartbeat",
  },
  enter: { role: "deployer", allows: "run commands in instances, and beside them (`exec`, `run`)" },
  mend: {
    role: "operator",
    allows: "approve, acknowledge and stop escalations; pause and resume; dry runs; declare ladders",
  },
  secrets: { role: "operator", allows: "set and remove secrets" },
  operate: {
    role: "operator",
    allows:
      "join, drain and remove machines; read what Drover's own programs say; declare pools; certificates and where they are ordered; restart edges; delete spaces",
  },
  host: {
    role: "owner",
    allows: "run commands on machines themselves, as Drover's own user (`machine exec`); upgrade Drover",
  },
  tokens: { role: "owner", allows: "make, list and revoke tokens; list and end everybody's sessions of the web UI" },
} as const satisfies Readonly<Record<string, RightEntry>>;
export type Right = keyof typeof rights;

/** Whether the role has the right. A role that this version does not know has none. */
export function roleHas(role: Role, right: Right): boolean {
  const rank = roles.indexOf(role);
  return rank !== -1 && rank >= roles.indexOf(rights[right].role);
}

/** How long a token lasts, in milliseconds: compulsory, so that a forgotten one ends by itself. */
export const tokenLifeMs = { least: 60_000, default: 90 * 86_400_000, most: 365 * 86_400_000 } as const;

/** The first token's name in records; no other token can have it. */
export const ownerName = "owner";
