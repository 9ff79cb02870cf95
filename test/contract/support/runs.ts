/**
 * Random questions to core and the stream; `TRUECOUNT_CONTRACT_RUNS=50000` asks more. Batch and audit
 * write and read files for each: they get a hundredth.
 */
export const RUNS = Number(process.env['TRUECOUNT_CONTRACT_RUNS'] ?? 2_000);
export const FILE_RUNS = Math.ceil(RUNS / 100);

/** Far more than the questions take, also beside others, ms. */
export const RUNS_TIMEOUT_MS = 60_000 + RUNS * 240;
