// The contract of `npm test`, with 25 times as many random questions.
process.env['TRUECOUNT_CONTRACT_RUNS'] ??= '50000';
await import('../contract/any-way.test.js');
await import('../contract/random.test.js');
