import type { LiveTarget } from "./choice.ts";
import type { EdgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HeldRequest } from "./held-requests.ts";
import type { LiveRoute } from "./live-route.ts";
import { judge } from "./policy/ejection.ts";

const none: readonly Endpoint[] = [];

/** Who looks for an instance. */
export interface SearchUser {
  /** It is counted as open there until `leave`. */
  onInstance(endpoint: Endpoint): void;
  /** None takes connections, and the time to wait for one is over. */
  onNoInstance(): void;
}

/** One request's way to an instance: which were tried, how long it waits for one, and where it is counted in the end. */
export class InstanceSearch implements HeldRequest {
  heldUntilMs = 0;
  /** Whether it gives up at once when no instance is left. */
  neverWaits = false;
  target: LiveTarget | null = null;
  endpoint: Endpoint | null = null;

  readonly #route: LiveRoute;
  readonly #kept: string;
  readonly #context: EdgeContext;
  readonly #user: SearchUser;
  #tried = none;
  #attempts = 0;
  #isHeld = false;
  #hasTriedAnother = false;

  /** @param kept the request's header lines */
  constructor(route: LiveRoute, kept: string, context: EdgeContext, user: SearchUser) {
    this.#route = route;
    this.#kept = kept;
    this.#context = context;
    this.#user = user;
  }

  get mayGoOn(): boolean {
    return this.#attempts < this.#route.limits.attempts;
  }

  /** Finds an instance that was not tried yet, or waits for one. */
  next(): void {
    this.#isHeld = false;
    const choice = this.mayGoOn ? this.#route.choose(this.#tried, this.#kept) : null;
    if (choice === null) {
      this.#hold();
      return;
    }
    this.#attempts++;
    this.target = choice.target;
    this.endpoint = choice.endpoint;
    choice.endpoint.begin();
    this.#user.onInstance(choice.endpoint);
  }

  /** The instance takes no connections: it is passed over for a while. */
  refused(): void {
    const endpoint = this.endpoint;
    if (endpoint === null) return;
    endpoint.ejectedUntilMs = this.#context.clock.monotonicMs() + this.#route.limits.ejectMs;
    this.passOver();
  }

  /** Leaves the instance, not to try it again. */
  passOver(): void {
    if (this.endpoint !== null) this.#tried = [...this.#tried, this.endpoint];
    this.leave();
  }

  /**
   * An instance that died took the request along, and another may answer it. Once only: a request that kills whoever gets it must not go round.
   */
  mayTryAnother(): boolean {
    const endpoint = this.endpoint;
    if (endpoint === null || this.#hasTriedAnother) return false;
    this.#hasTriedAnother = true;
    this.#tried = [...this.#tried, endpoint];
    return this.#route.choose(this.#tried, this.#kept) !== null;
  }

  leave(): void {
    const endpoint = this.endpoint;
    this.endpoint = null;
    endpoint?.end();
  }

  /** Whoever ends it takes over what is open at the instance. */
  handOver(): Endpoint | null {
    const endpoint = this.endpoint;
    this.endpoint = null;
    return endpoint;
  }

  /** Notes how the instance answered. */
  judge(isFailure: boolean): void {
    const endpoint = this.endpoint;
    if (endpoint !== null && (isFailure || endpoint.failures > 0))
      judge(endpoint, isFailure, this.#route.targets, this.#context.clock.monotonicMs());
  }

  /** The header line that lets the client find its instance again; empty on most routes. */
  cookie(isSecure: boolean): string {
    const { sticky } = this.#route;
    return sticky === null ? "" : sticky.line(this.#kept, this.target, this.endpoint, isSecure);
  }

  /** The request is over. `status` 0: it got no answer. */
  end(status: number, tookMs: number, bytesIn: number, bytesOut: number): void {
    if (this.#isHeld) this.#route.held.delete(this);
    if (this.target !== null) {
      const { counters } = this.target;
      counters.count(status, tookMs);
      counters.bytesIn += bytesIn;
      counters.bytesOut += bytesOut;
    }
    this.leave();
  }

  #hold(): void {
    const nowMs = this.#context.clock.monotonicMs();
    if (this.heldUntilMs === 0) this.heldUntilMs = nowMs + this.#route.holdMs;
    if (this.neverWaits || nowMs >= this.heldUntilMs || !this.#route.held.add(this)) this.giveUp();
    else this.#isHeld = true;
  }

  resume(): void {
    this.#tried = none;
    this.#attempts = 0;
    this.next();
  }

  giveUp(): void {
    this.#isHeld = false;
    this.target ??= this.#route.heaviest();
    this.#user.onNoInstance();
  }
}
