/**
 * Random questions to core, the stream and the statements of batch; `TRUECOUNT_CONTRACT_RUNS=50000` asks
 * more. All of batch, with its files and tasks, and the audit take more than a second for each of them,
 * most of it opening databases: they get a hundredth.
 */
export const RUNS = Number(process.env['TRUECOUNT_CONTRACT_RUNS'] ?? 2_000);
export const FILE_RUNS = Math.ceil(RUNS / 100);

/** Far more than the questions take, also beside others, ms. */
export const RUNS_TIMEOUT_MS = 60_000 + RUNS * 1_000;
