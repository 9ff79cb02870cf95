import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../runtime/config.js';
import { openTemporal } from '../../runtime/temporal/client.js';
import { TemporalReplays } from '../../runtime/temporal/replay-control.js';
import { freshTemporal, type TestTemporal } from '../support/temporal.js';
import { until } from '../support/until.js';

const RANGE = { from: '2025-11-21T10:00:00Z', to: '2025-11-21T12:00:00Z' };
const ID = 'replay/2025-11-21T10:00:00Z--2025-11-21T12:00:00Z';

let temporal: TestTemporal;
let replays: TemporalReplays;
function configOf(address: string, namespace: string) {
  const flags = { temporalAddress: address, 'temporal.namespace': namespace };
  return loadConfig({ flags, env: {}, useStack: false }).config;
}
beforeAll(async () => {
  temporal = await freshTemporal();
  replays = new TemporalReplays(configOf(temporal.address, temporal.namespace));
});
afterAll(async () => {
  await replays.close();
  await temporal.close();
});

test('a replay is started once, followed without a worker, and its end is told', async () => {
  const started = await replays.start({ ...RANGE, actor: 'api', reason: 'test' });
  expect(started).toMatchObject({ id: ID, state: 'running', closedAtMs: null });
  await expect(replays.start(RANGE)).rejects.toMatchObject({ code: 'conflict' });
  // No worker runs: nobody can say how far it is, and the answer comes all the same.
  expect(await replays.get(ID)).toEqual({ ...started, progress: null, result: null, error: null });
  await until('listed', async () => (await replays.list(10)).some(({ id }) => id === ID));
  expect(await replays.get('replay/none')).toBeNull();

  const asked = await openTemporal(configOf(temporal.address, temporal.namespace));
  await asked.client.workflow.getHandle(ID).terminate('enough');
  await asked.close();
  const ended = await until('terminated', async () => {
    const found = await replays.get(ID);
    return found?.state === 'terminated' ? found : null;
  });
  expect(ended).toMatchObject({ id: ID, progress: null, result: null });
  expect(ended.error).toContain('enough');
});

test('without Temporal at the address a question says so, and the next one tries again', async () => {
  const away = new TemporalReplays(configOf('127.0.0.1:1', 'default'));
  for (let i = 0; i < 2; i++) {
    await expect(away.list(1)).rejects.toMatchObject({ code: 'dependency_unreachable' });
  }
  await away.close();
});
