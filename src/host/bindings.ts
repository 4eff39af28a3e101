import { getSystemErrorName } from "node:util";
import type { ListeningSocket } from "./listening-socket.ts";

/*
 * What of Node's inside is used here, because nothing public does the same: typed as Node 24 has it, which is pinned, and held by the tests of who uses it.
 */

export interface Handle {
  readonly fd: number;
  close(onClosed?: () => void): void;
  unref(): void;
}

export interface Completion {
  oncomplete: (status: number) => void;
}

export interface PassingPipe extends Handle {
  /** What came with the bytes that `onread` is called with. */
  pendingHandle: ListeningSocket | null;
  /** Undefined at the end. */
  onread: (bytes: ArrayBuffer | undefined) => void;
  open(fd: number): number;
  connect(request: Completion, path: string): number;
  readStart(): number;
  writeUtf8String(request: Completion, text: string, handle?: ListeningSocket): number;
}

/** What an unfinished `send` keeps alive. */
export interface SendRequest {
  list?: readonly Buffer[];
}

export interface Sender {
  readonly address: string;
  readonly port: number;
}

/** Methods with a 6 are those for IPv6. Numbers that are returned are 0 or an error's, below 0, unless said otherwise. */
export interface UdpHandle extends Handle {
  /** With a negative count what came is an error. */
  onmessage: (count: number, handle: UdpHandle, bytes: Buffer, from: Sender) => void;
  bind(address: string, port: number, flags: number): number;
  bind6(address: string, port: number, flags: number): number;
  connect(address: string, port: number): number;
  connect6(address: string, port: number): number;
  disconnect(): number;
  recvStart(): number;
  /** @returns 0: it is under way; above: it is sent. Without an address to where it is connected to. */
  send(request: SendRequest, list: readonly Buffer[], count: number, isTold: false): number;
  send(request: SendRequest, list: readonly Buffer[], count: number, port: number, address: string, isTold: false): number;
  send6(request: SendRequest, list: readonly Buffer[], count: number, port: number, address: string, isTold: false): number;
  getSendQueueCount(): number;
  getsockname(into: Partial<Sender>): number;
  /** @returns undefined if it failed; `context` says why. */
  bufferSize(bytes: number, isReceive: boolean, context: object): number | undefined;
}

interface Bindings {
  readonly pipe_wrap: {
    readonly Pipe: new (kind: number) => PassingPipe;
    readonly PipeConnectWrap: new () => Completion;
    readonly constants: { readonly IPC: number };
  };
  readonly stream_wrap: { readonly WriteWrap: new () => Completion };
  readonly udp_wrap: {
    readonly UDP: new () => UdpHandle;
    readonly SendWrap: new () => SendRequest;
    readonly constants: { readonly UV_UDP_REUSEPORT: number };
  };
}

export function binding<N extends keyof Bindings>(name: N): Bindings[N] {
  return (process as unknown as { binding(name: N): Bindings[N] }).binding(name);
}

/** Of a number that something here returned: with the system's code, such as EADDRINUSE. */
export function systemError(errno: number, attempted: string): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${attempted}: ${code}`), { code });
}
