import type { Endpoint } from "./endpoint.ts";
import type { TargetCounters } from "./traffic.ts";

/** A release of a route with its share and its endpoints, as requests choose from it. */
export interface LiveTarget {
  readonly release: number;
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
  readonly counters: TargetCounters;
}

export interface Choice {
  readonly target: LiveTarget;
  readonly endpoint: Endpoint;
}

export interface ChoiceInput {
  readonly targets: readonly LiveTarget[];
  /** Endpoints that this request has tried in vain. */
  readonly tried: readonly Endpoint[];
  readonly random: () => number;
  readonly nowMs: number;
}

/**
 * First a release by weight, among those that have an endpoint that takes connections; then the less busy of two endpoints picked at random.
 * Endpoints that lately refused are chosen only when there is no other. Null if every endpoint was tried.
 */
export function choose(input: ChoiceInput): Choice | null {
  return (
    chooseAmong(input, (endpoint) => endpoint.ejectedUntilMs <= input.nowMs && !input.tried.includes(endpoint)) ??
    chooseAmong(input, (endpoint) => !input.tried.includes(endpoint))
  );
}

type Eligible = (endpoint: Endpoint) => boolean;

function chooseAmong({ targets, random, nowMs }: ChoiceInput, isEligible: Eligible): Choice | null {
  let total = 0;
  let only: LiveTarget | null = null;
  for (const target of targets) {
    if (target.weight <= 0 || !target.endpoints.some(isEligible)) continue;
    only = total === 0 ? target : null;
    total += target.weight;
  }
  if (total === 0) return null;
  if (only !== null) return chooseEndpoint(only, random, nowMs, isEligible);
  let ticket = random() * total;
  let last: LiveTarget | null = null;
  for (const target of targets) {
    if (target.weight <= 0 || !target.endpoints.some(isEligible)) continue;
    last = target;
    ticket -= target.weight;
    if (ticket < 0) break;
  }
  return last === null ? null : chooseEndpoint(last, random, nowMs, isEligible);
}

function chooseEndpoint(target: LiveTarget, random: () => number, nowMs: number, isEligible: Eligible): Choice | null {
  const { endpoints } = target;
  const first = pick(endpoints, random, isEligible);
  if (first === null || endpoints.length === 1) return first === null ? null : { target, endpoint: first };
  const second = pick(endpoints, random, (endpoint) => endpoint !== first && isEligible(endpoint));
  if (second === null) return { target, endpoint: first };
  // One that warms up takes what comes to it only as far as it is warm.
  if (first.warmMs > nowMs && isCold(first, random, nowMs)) return { target, endpoint: second };
  const isBetter = second.open < first.open && !(second.warmMs > nowMs && isCold(second, random, nowMs));
  return { target, endpoint: isBetter ? second : first };
}

/** An eligible endpoint at random: from a random place onwards, so that it costs no list. */
function pick(endpoints: readonly Endpoint[], random: () => number, isEligible: Eligible): Endpoint | null {
  const offset = endpoints.length === 1 ? 0 : Math.floor(random() * endpoints.length);
  for (let i = 0; i < endpoints.length; i++) {
    const endpoint = endpoints[(offset + i) % endpoints.length] as Endpoint;
    if (isEligible(endpoint)) return endpoint;
  }
  return null;
}

function isCold({ joinedMs, warmMs }: Endpoint, random: () => number, nowMs: number): boolean {
  return random() * (warmMs - joinedMs) > nowMs - joinedMs;
}
