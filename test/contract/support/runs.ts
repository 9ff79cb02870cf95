/**
 * Random questions to core and the stream; `TRUECOUNT_CONTRACT_RUNS=50000` asks more. The statements of
 * batch take a sixth of a second for each: they get a tenth. All of batch, with its files and tasks, and the
 * audit get a hundredth.
 */
export const RUNS = Number(process.env['TRUECOUNT_CONTRACT_RUNS'] ?? 2_000);
export const FILE_RUNS = Math.ceil(RUNS / 100);
export const STATEMENT_RUNS = Math.ceil(RUNS / 10);

/** Far more than the questions take, also beside others, ms. */
export const RUNS_TIMEOUT_MS = 60_000 + RUNS * 240;
