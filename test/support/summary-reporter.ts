import { relative } from 'node:path';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/**
 * Ends the run with `N passed, N failed, N skipped`, after everything else (set-ups stop their
 * servers after the last test), and above it every skipped test with its reason.
 *
 * A file that cannot be loaded, a failed suite hook and an error outside any test each count as
 * one failure: `0 failed` means that nothing went wrong.
 */
class SummaryReporter implements Reporter {
  #summary: Summary | undefined;
  #announced = false;

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    this.#summary = summarise(modules, errors);
    if (this.#announced) return; // watch mode runs again; the line is for the last run
    this.#announced = true;
    process.once('exit', () => {
      if (this.#summary !== undefined) process.stdout.write(format(this.#summary));
    });
  }
}

function summarise(modules: readonly TestModule[], errors: readonly SerializedError[]): Summary {
  let passed = 0;
  let failed = errors.length;
  const skipped: string[] = [];
  for (const module of modules) {
    failed += module.errors().length;
    for (const suite of module.children.allSuites()) failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed += 1;
      else if (state === 'failed') failed += 1;
      else skipped.push(describeSkipped(test));
    }
  }
  return { passed, failed, skipped };
}

function describeSkipped(test: TestCase): string {
  const result = test.result();
  const reason = result.state === 'skipped' ? result.note : 'it never ran';
  const file = relative(process.cwd(), test.module.moduleId);
  return `${file} > ${test.fullName}: ${reason ?? 'no reason given'}`;
}

function format({ passed, failed, skipped }: Summary): string {
  const lines = skipped.map((test) => `SKIPPED ${test}\n`);
  const counts = `${passed} passed, ${failed} failed, ${skipped.length} skipped\n`;
  return `\n${lines.join('')}${counts}`;
}

// Vitest loads a reporter by path and takes its default export.
// eslint-disable-next-line no-restricted-syntax
export default SummaryReporter;
