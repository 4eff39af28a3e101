import type { FigureFunction } from "#model/api-metrics.ts";
import { bytes } from "../format.ts";

type Unit = "bytes" | "cores" | "seconds" | "number";

/** What the points of a metric are in, by what it is called and what they say of their steps. */
export function unitOf(name: string, fn: FigureFunction): { readonly unit: Unit; readonly isRate: boolean } {
  const isRate = fn === "rate";
  if (/_bytes(_total)?$/.test(name)) return { unit: "bytes", isRate };
  // A second of a processor in each second is one core.
  if (/_seconds_total$/.test(name) && isRate) return { unit: "cores", isRate: false };
  if (/_seconds(_total)?$/.test(name)) return { unit: "seconds", isRate: false };
  return { unit: "number", isRate };
}

/** One point, for people. */
export function figureText(value: number | null | undefined, { unit, isRate }: ReturnType<typeof unitOf>): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const text = unit === "bytes" ? bytes(value) : unit === "seconds" ? secondsText(value) : numberText(value);
  return isRate ? `${text}/s` : unit === "cores" ? `${text} cores` : text;
}

function secondsText(seconds: number): string {
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${numberText(seconds * 1_000)} ms`;
  return seconds < 120 ? `${numberText(seconds)} s` : `${numberText(seconds / 60)} min`;
}

function numberText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  if (Number.isInteger(value)) return String(value);
  if (size < 0.001) return value.toExponential(1);
  return value.toFixed(size < 0.1 ? 4 : size < 10 ? 2 : 1);
}
