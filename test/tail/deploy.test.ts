import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { loadConfig } from '../../runtime/config.js';
import { packageFile } from '../../runtime/package-root.js';
import { problemWith } from '../repo/commands.js';

interface DaemonSet {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly env: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

function settingsAccepted(env: Record<string, string>): void {
  const { config } = loadConfig({ env, cwd: '/nowhere', useStack: false });
  expect(config.kafka.brokers).toEqual(['kafka-1:9092', 'kafka-2:9092']);
  expect(config.topics).toEqual(['clicks']);
}

describe('examples/deploy', () => {
  it('the systemd unit calls the tail with options and settings that exist', async () => {
    const unit = readFileSync(packageFile('examples/deploy/truecount-tail.service'), 'utf8');
    const start = /^ExecStart=\/usr\/bin\/(.*)$/m.exec(unit)![1]!;
    expect(await problemWith(start)).toBeUndefined();
    const env = [...unit.matchAll(/^Environment=(TRUECOUNT_\w+)=(.*)$/gm)];
    settingsAccepted(Object.fromEntries(env.map((match) => [match[1]!, match[2]!])));
  });

  it('the DaemonSet calls the tail with options, settings and a mapping that exist', async () => {
    const text = readFileSync(packageFile('examples/deploy/tail-daemonset.yaml'), 'utf8');
    const [configMap, daemonSet] = parseAllDocuments(text).map((one) => one.toJS() as unknown);
    const [container] = (daemonSet as DaemonSet).spec.template.spec.containers;
    const words = container!.args.flatMap((arg) => arg.split('='));
    expect(await problemWith(`truecount ${words.join(' ')}`)).toBeUndefined();
    const env = container!.env.filter(({ name }) => name.startsWith('TRUECOUNT_'));
    settingsAccepted(Object.fromEntries(env.map(({ name, value }) => [name, value!])));
    const { data } = configMap as { data: Record<string, string> };
    parseMapping(data['mapping.yaml']!, 'mapping.yaml');
  });
});
