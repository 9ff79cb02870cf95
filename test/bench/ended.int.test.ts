import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { childrenOf } from '../../bench/support/proc.js';
import { packageFile } from '../../runtime/package-root.js';
import { until } from '../support/until.js';

const SERVERS = ['postgres', 'java', 'node'];

function commandOf(pid: number): string {
  const path = `/proc/${String(pid)}/comm`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}

it.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)(
  'a benchmark that %s ends leaves no server and no folder behind',
  async (signal, code) => {
    const scratch = mkdtempSync(join(tmpdir(), 'truecount-ended-'));
    const args = ['collect', '--rate', '50', '--seconds', '300'];
    const bench = spawn(process.execPath, [packageFile('dist', 'bench', 'run.js'), ...args], {
      stdio: 'ignore',
      env: { ...process.env, TMPDIR: scratch },
    });
    const closed = once(bench, 'close');
    let pids: number[] = [];
    try {
      await until('it has its servers', () => {
        pids = childrenOf(bench.pid!);
        return SERVERS.every((name) => pids.some((pid) => commandOf(pid).startsWith(name)));
      });
      bench.kill(signal);
      expect(await closed).toEqual([code, null]);
      expect(pids.filter((pid) => commandOf(pid) !== '')).toEqual([]);
      expect(readdirSync(scratch)).toEqual([]);
    } finally {
      bench.kill('SIGKILL');
      for (const pid of pids) if (commandOf(pid) !== '') process.kill(pid, 'SIGKILL');
      rmSync(scratch, { recursive: true, force: true });
    }
  },
);

it('keeps the exit code of a run, whatever the packages in it do at the end', () => {
  const run = packageFile('dist', 'bench', 'run.js');
  const { status, stderr } = spawnSync(process.execPath, [run, 'none'], { encoding: 'utf8' });
  expect(stderr).toContain('no benchmark none');
  expect(status).toBe(2);
});
