import { print } from '../output.js';
import { line } from './say.js';
import type { Stage } from './stage.js';

/** Settings that a shell needs to talk to the demo's world. */
const NEEDED = [
  'TRUECOUNT_HOME',
  'TRUECOUNT_POSTGRES_URL',
  'TRUECOUNT_KAFKA_BROKERS',
  'TRUECOUNT_TEMPORAL_ADDRESS',
  'TRUECOUNT_TEMPORAL_NAMESPACE',
  'TRUECOUNT_TEMPORAL_UI_URL',
  'TRUECOUNT_LAKE_URL',
  'TRUECOUNT_TOPICS',
];

/** Says where everything is, and what to try. */
export function keep(stage: Stage): void {
  const { environment: env, config } = stage;
  const { namespace, uiUrl } = config.temporal;
  print('');
  if (uiUrl !== undefined) line('look at', `${uiUrl}/namespaces/${namespace}/workflows`);
  line('', `${stage.apiUrl}/hours`);
  line('', config.lakeUrl);
  line('try', 'in another terminal, in this folder:');
  for (const name of NEEDED) if (env[name] !== undefined) line('', `export ${name}='${env[name]}'`);
  for (const command of [
    'npx truecount hours',
    'npx truecount query top --window-size 60 --top-n 5',
    'npx truecount audit --recompute 3',
  ]) {
    line('', command);
  }
  line('end', 'Ctrl-C here ends and removes everything');
}
