import { defineConfig } from 'vitest/config';

// The long fault suite (`npm run test:faults`): one file at a time, since each kills and freezes
// processes under load and measures what happened.
export default defineConfig({
  test: {
    name: 'faults',
    include: ['test/faults/*.faults.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    fileParallelism: false,
    testTimeout: 45 * 60_000,
    hookTimeout: 5 * 60_000,
    teardownTimeout: 60_000,
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
});
