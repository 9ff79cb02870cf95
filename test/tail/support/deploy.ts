import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { packageFile } from '../../../runtime/package-root.js';

/** The sections and keys of a systemd unit; a key may stand several times. */
export type Unit = ReadonlyMap<string, readonly string[]>;

/** `examples/deploy/truecount-tail.service`, keys as `Service.ExecStart`. */
export function systemdUnit(): { readonly text: string; readonly keys: Unit } {
  const text = readFileSync(packageFile('examples/deploy/truecount-tail.service'), 'utf8');
  const keys = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const name = /^\[(\w+)\]$/.exec(line)?.[1];
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) section = name;
    else if (key === undefined) throw new Error(`neither section nor key: ${line}`);
    else keys.set(`${section}.${key}`, [...(keys.get(`${section}.${key}`) ?? []), value!]);
  }
  return { text, keys };
}

/** What the lines `install … FROM TO` of the unit's head put where, by where. */
export function installed(text: string): ReadonlyMap<string, string> {
  const lines = text.matchAll(/^# +install -D -m \d+ (\S+) (\S+)$/gm);
  return new Map([...lines].map(([, from, to]) => [to!, from!]));
}

/** The line `ln -s TO FROM` of a text, as the paths that it leads from and to. */
export function linked(text: string): { readonly from: string; readonly to: string } {
  const [, to, from] = /\bln -s (\S+) (\S+)$/m.exec(text)!;
  return { from: from!, to: join(dirname(from!), to!) };
}

/** `examples/deploy/tail.Dockerfile`: what stands behind its instructions, each of which is there once. */
export function dockerfile(): Readonly<Record<string, string>> {
  const text = readFileSync(packageFile('examples/deploy/tail.Dockerfile'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const pairs = lines.map((line) => line.split(/ (.*)/s, 2) as [string, string]);
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw new Error('one stands twice');
  return Object.fromEntries(pairs);
}

/** The only value of a key. */
export function only(keys: Unit, key: string): string {
  const [value, ...more] = keys.get(key) ?? [];
  if (value === undefined || more.length > 0) throw new Error(`${key} is not there once`);
  return value;
}

/** `Environment=` as an environment. */
export function unitEnvironment(keys: Unit): Record<string, string> {
  const lines = keys.get('Service.Environment') ?? [];
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2) as [string, string]));
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly VolumeMount[];
  readonly securityContext: Readonly<Record<string, unknown>>;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

export interface DaemonSet {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations: Readonly<Record<string, string>>;
      };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
        readonly containers: readonly Container[];
        readonly initContainers: readonly { readonly volumeMounts: readonly VolumeMount[] }[];
        readonly volumes: readonly {
          readonly name: string;
          readonly configMap?: { readonly name: string };
        }[];
      };
    };
  };
}

export interface ConfigMap {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
}

/** `examples/deploy/tail-daemonset.yaml`: strictly parsed, so that no key stands twice. */
export function kubernetes(): {
  readonly configMap: ConfigMap;
  readonly daemonSet: DaemonSet;
  readonly container: Container;
} {
  const text = readFileSync(packageFile('examples/deploy/tail-daemonset.yaml'), 'utf8');
  const documents = parseAllDocuments(text, { strict: true, uniqueKeys: true });
  for (const { errors, warnings } of documents) {
    if (errors.length + warnings.length > 0) throw errors[0] ?? warnings[0]!;
  }
  const [configMap, daemonSet] = documents.map((one) => one.toJS() as unknown);
  const set = daemonSet as DaemonSet;
  const { containers } = set.spec.template.spec;
  return { configMap: configMap as ConfigMap, daemonSet: set, container: containers[0]! };
}

/** What stands behind an option, as `--name value` or `--name=value`. */
export function optionOf(args: readonly string[], name: string): string {
  const at = args.indexOf(name);
  const value =
    at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
  if (value === undefined) throw new Error(`there is no ${name}`);
  return value;
}
