import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';

const { bin, version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as {
  readonly bin: Readonly<Record<string, string>>;
  readonly version: string;
};

it.each(Object.entries(bin))('%s runs as the file that was built, %s', (_name, path) => {
  expect(execFileSync(packageFile(path), ['--version'], { encoding: 'utf8' })).toContain(version);
});
