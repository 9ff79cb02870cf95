import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SQL_CHECKS } from '../../audit/audit.js';
import { INVARIANTS } from '../../audit/report.js';
import { SUITES } from '../../audit/suites.js';
import { withoutLog } from '../../audit/tally.js';

/** Checks that are neither one statement nor about the log. */
const MADE_IN_CODE = [
  'rule_sets',
  'ledger_chain',
  'pointer_entries',
  'examined_cuts',
  'holds',
  'rule_versions',
  'generation_inputs',
  'generation_checksums',
  'lake_files',
  'lake_strays',
  'recomputed',
];

const ROOT = join(import.meta.dirname, '..', '..');

it('every suite that the audit names is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = SUITES.flatMap(({ suite }) => suite);
  expect(named.length).toBeGreaterThan(0);
  const missing = named.filter((name) => {
    const script = /^npm run (.*)$/.exec(name)?.[1];
    return script === undefined ? !existsSync(join(ROOT, name)) : !(script in scripts);
  });
  expect(missing).toEqual([]);
});

it('every invariant is checked or named, and the page about them lists every check', () => {
  const checks = [...SQL_CHECKS, ...withoutLog()];
  const covered = new Set([...checks, ...SUITES].map(({ invariant }) => invariant));
  expect([...covered].sort()).toEqual(Object.keys(INVARIANTS).sort());
  const page = readFileSync(join(ROOT, 'docs', 'explanation', 'invariants.md'), 'utf8');
  const names = [...MADE_IN_CODE, ...checks.map(({ name }) => name)];
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
