/** What a custom plan costs a flush: its arrays are copied into the plan as constants. */
import { backendCpuMs } from './postgres.js';
import type { OwnPostgres } from './postgres.js';
import type { Variant } from './variants.js';
import type { Workload } from './workloads.js';

const REPEATS = 5;

export async function measurePlans(
  postgres: OwnPostgres,
  workload: Workload,
  variant: Variant,
): Promise<string> {
  const client = await postgres.connect();
  const { rows } = await client.query<{ pid: number; jit: boolean }>(
    'select pg_backend_pid() as pid, pg_jit_available() as jit',
  );
  const { pid, jit } = rows[0]!;
  await client.query(variant.create('plans'));
  const flush = variant.encode('plans', workload.flush(0));
  const cpu = new Map<string, number[]>();
  for (let i = 0; i <= REPEATS; i++) {
    for (const mode of ['force_generic_plan', 'force_custom_plan']) {
      await client.query(`set plan_cache_mode = ${mode}`);
      const before = backendCpuMs(pid);
      await flush.run(client);
      const figures = cpu.get(mode) ?? [];
      cpu.set(mode, figures);
      if (i > 0) figures.push(backendCpuMs(pid) - before);
    }
  }
  await client.query('drop table plans');
  await client.end();
  const lines = [...cpu].map(([mode, ms]) => {
    const figure = ms.toSorted((a, b) => a - b)[Math.floor(ms.length / 2)]!;
    return `| ${mode} | ${figure.toFixed(0)} |`;
  });
  const head = `\n## plans: ${variant.name}, ${workload.name} (jit available: ${String(jit)})`;
  return [head, '| plan_cache_mode | CPU ms/flush |', '|---|---|', ...lines].join('\n');
}
