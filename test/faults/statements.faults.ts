// The statements of batch, as contract.faults.ts asks the others; they take longest, hours.
process.env['TRUECOUNT_CONTRACT_RUNS'] ??= '50000';
await import('../contract/statements.test.js');
