import fc from 'fast-check';

/**
 * Random questions to core, the stream and the statements of batch; `TRUECOUNT_CONTRACT_RUNS=50000`
 * asks more. All of batch, whose processes do much around the statements, and the audit take a second
 * for each of them, most of it opening databases: they get a hundredth.
 */
export const RUNS = Number(process.env['TRUECOUNT_CONTRACT_RUNS'] ?? 2_000);
export const FILE_RUNS = Math.ceil(RUNS / 100);

/** Far more than the questions take, also beside others, ms. */
export const RUNS_TIMEOUT_MS = 60_000 + RUNS * 1_000;

/** Questions that have a seed of their own. */
const PART_RUNS = 2_000;

/** Asserts a property in parts, each with a random seed, and says how far it is where there are several. */
export async function assertRuns<T>(
  property: fc.IAsyncPropertyWithHooks<T>,
  runs: number,
): Promise<void> {
  const sinceMs = performance.now();
  for (let asked = 0; asked < runs;) {
    const numRuns = Math.min(PART_RUNS, runs - asked);
    await fc.assert(property, { numRuns });
    asked += numRuns;
    if (runs > PART_RUNS) console.log(progressLine(asked, runs, performance.now() - sinceMs));
  }
}

function progressLine(asked: number, runs: number, tookMs: number): string {
  const perSecond = (1_000 * asked) / tookMs;
  const leftMinutes = Math.ceil((runs - asked) / perSecond / 60);
  const [done, all] = [asked, runs].map((n) => n.toLocaleString('en'));
  return `${done!} of ${all!} questions, ${perSecond.toFixed(1)}/s, ${String(leftMinutes)} min left`;
}
