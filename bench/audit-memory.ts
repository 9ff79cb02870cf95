import { ReferenceCount } from '../core/count.js';
import { DEFAULT_RULE_SET } from '../core/rules/rule-set.js';
import { generateClicks } from '../ingest/generator/generate.js';

/*
 * What `audit` holds in memory for each distinct click and each cell of the partition it reads, and
 * how fast it counts again. `node --expose-gc dist/bench/audit-memory.js 300000`
 */
const APPEND_MS = Date.UTC(2099, 0);

function heapBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function linesOf(clicks: number): Buffer[] {
  const load = generateClicks({ clicks, seed: 1, withTruth: false });
  return Array.from(load, ({ line }) => Buffer.from(line));
}

if (globalThis.gc === undefined) throw new Error('start it with node --expose-gc');
const lines = linesOf(Number(process.argv[2] ?? 300_000));
const before = heapBytes();
const startedMs = performance.now();
const engine = new ReferenceCount(DEFAULT_RULE_SET);
let ids = 0;
for (const [offset, value] of lines.entries()) {
  const fate = engine.add({ topic: 't', partition: 0, offset, appendMs: APPEND_MS, value });
  if (fate.kind === 'counted') ids++;
}
const elapsedMs = performance.now() - startedMs;
const full = heapBytes();
const cells = engine.cells.size;
engine.cells.clear();
const withoutCells = heapBytes();
console.log({
  records: lines.length,
  recordsPerSecond: Math.round((lines.length / elapsedMs) * 1000),
  bytesPerId: Math.round((withoutCells - before) / ids),
  bytesPerCell: Math.round((full - withoutCells) / cells),
  cellsLeft: engine.cells.size, // the ids were still held when they were measured
});
