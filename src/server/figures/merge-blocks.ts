import { setImmediate } from "node:timers/promises";
import { BlockBuilder, DamagedBlock, type Directory, readChunk } from "./block.ts";
import { type Block, readChunks } from "./block-files.ts";
import { coarsen, coarseTime, levels } from "./levels.ts";
import { compareSeries, keyOf, type Series } from "./series.ts";

/**
 * One block of a coarser level from blocks of the one before it. Where they overlap, because a clock was set back, the one written last counts.
 * Name by name, so that never more is in memory than all series of one.
 * @param onDamage told of what cannot be read, which is left out
 */
export async function mergeBlocks(
  sources: readonly Block[],
  { id, level }: Pick<Directory, "id" | "level">,
  onDamage: (block: Block, error: DamagedBlock) => void,
): Promise<BlockBuilder> {
  const { stepMs } = levels[level] ?? levels[0];
  const inOrder = [...sources].sort((a, b) => a.id - b.id);
  const fine = Float64Array.from(new Set(inOrder.flatMap(({ times }) => times))).sort();
  const at = new Map(Array.from(fine, (time, i) => [time, i]));
  const coarse = Float64Array.from(new Set(Array.from(fine, (time) => coarseTime(time, stepMs))));
  const builder = new BlockBuilder({ id, level, times: [...coarse], sources: inOrder.map((block) => block.id) });
  for (const name of [...new Set(inOrder.flatMap(({ chunks }) => chunks.map((chunk) => chunk.name)))].sort()) {
    const merged = new Map<string, Series & { readonly key: string; readonly values: Float64Array }>();
    for (const block of inOrder) {
      const chunks = block.chunks.filter((chunk) => chunk.name === name);
      const places = block.times.map((time) => at.get(time) as number);
      for (const [i, packed] of ((await readChunks(block, chunks)) ?? []).entries()) {
        const chunk = chunks[i];
        if (chunk === undefined) continue;
        try {
          for (const { series, values } of readChunk(packed, chunk, places.length, () => true)) {
            const key = keyOf(series);
            let row = merged.get(key);
            if (row === undefined) merged.set(key, (row = { ...series, key, values: new Float64Array(fine.length).fill(Number.NaN) }));
            for (const [of, value] of values.entries()) if (!Number.isNaN(value)) row.values[places[of] as number] = value;
          }
        } catch (error) {
          if (!(error instanceof DamagedBlock)) throw error;
          onDamage(block, error);
        }
        await setImmediate();
      }
    }
    for (const series of [...merged.values()].sort(compareSeries)) builder.add(series, coarsen(series.kind, fine, series.values, coarse));
    await setImmediate();
  }
  return builder;
}
