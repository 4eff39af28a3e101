import type { MachineId } from "#model/names.ts";
import type { ProvidedMachine } from "#model/pool.ts";

/** What asking a provider to do something came to. */
export interface ProviderEnd {
  readonly result: "ok" | "failed" | "timed-out" | "killed";
  /** Of the command that it ran, if it runs commands. */
  readonly exitCode: number | null;
  /** What it said, for people; bounded. */
  readonly output: string;
}

/** Runs a command of the user that acts, at an agent, once under its key and part. */
export type RunCommand = (
  task: {
    readonly key: string;
    /** Which of the commands of its key. */
    readonly part: string;
    readonly run: string;
    readonly env: Readonly<Record<string, string>>;
    readonly secrets: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
  },
  signal: AbortSignal,
) => Promise<ProviderEnd>;

/** One call for one machine. */
export interface ProviderCall {
  readonly machine: MachineId;
  /** Names the call for good: asked for again under this name, after a crash, it is taken up and not begun again. */
  readonly key: string;
  readonly timeoutMs: number;
}

/** Of a provider that logs in to hosts. */
export interface ProviderAbout {
  /** Of the key that its hosts have to let in, as a line of `authorized_keys`; null: the user has the other half. */
  readonly publicKey: string | null;
  /** Hosts that are no machine. */
  readonly spare: readonly string[];
}

/**
 * Where machines come from. Small verbs that can be repeated: making what is there and taking away what is not are no errors. What a verb did is believed
 * when the list shows it, and not before.
 */
export interface Provider {
  readonly name: string;
  readonly can: { readonly converge: boolean; readonly power: boolean };
  /** What people should know of it besides its machines; left out: nothing. @throws {DroverError} */
  readonly about?: (signal: AbortSignal) => Promise<ProviderAbout>;
  /**
   * Every machine of the pool that it knows of. Changes nothing.
   * @throws {DroverError} CLUSTER_UNREACHABLE, PROVIDER_FAILED, PROVIDER_TIMED_OUT, PROVIDER_ANSWER_INVALID
   */
  list(signal: AbortSignal): Promise<readonly ProvidedMachine[]>;
  /** Makes the machine and switches it on. */
  create(call: ProviderCall, signal: AbortSignal): Promise<ProviderEnd>;
  destroy(call: ProviderCall, signal: AbortSignal): Promise<ProviderEnd>;
  /** Makes the machine's software what it should be. */
  converge(call: ProviderCall, signal: AbortSignal): Promise<ProviderEnd>;
  power(call: ProviderCall & { readonly to: "on" | "off" }, signal: AbortSignal): Promise<ProviderEnd>;
}
