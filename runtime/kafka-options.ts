import { readFileSync } from 'node:fs';
import type { KafkaConfig, SASLOptions } from 'kafkajs';
import { TruecountError } from '../core/errors.js';
import type { Config } from './config.js';
import { unknownAddress } from './unknown-address.js';

/**
 * Options for `new Kafka(...)`: brokers, TLS and SASL as configured. kafkajs' own logs are off the
 * console; a service passes a `logCreator`.
 * @throws TruecountError `dependency_unreachable` when no brokers are known, `invalid_config` for a
 * file that can't be read or SASL without a user or password.
 */
export function kafkaClientOptions(config: Config): KafkaConfig {
  const { brokers, clientId, tls } = config.kafka;
  if (brokers === undefined) throw unknownAddress('Kafka', 'TRUECOUNT_KAFKA_BROKERS');
  const sasl = saslOptions(config);
  const pem = (path: string | undefined, key: string): Record<string, string> =>
    path === undefined ? {} : { [key]: readPem(path, `kafka.tls.${key}File`) };
  const ssl = tls.enabled
    ? {
        ...pem(tls.caFile, 'ca'),
        ...pem(tls.certFile, 'cert'),
        ...pem(tls.keyFile, 'key'),
        ...(tls.servername === undefined ? {} : { servername: tls.servername }),
      }
    : undefined;
  return {
    clientId,
    brokers: [...brokers],
    ...(ssl === undefined ? {} : { ssl: Object.keys(ssl).length === 0 ? true : ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function saslOptions(config: Config): SASLOptions | undefined {
  const { mechanism, username, password } = config.kafka.sasl;
  if (mechanism === undefined) return undefined;
  if (username === undefined || password === undefined) {
    throw new TruecountError('invalid_config', `kafka.sasl.mechanism ${mechanism} needs a user`, {
      hint: 'set TRUECOUNT_KAFKA_SASL_USERNAME and TRUECOUNT_KAFKA_SASL_PASSWORD (or …_FILE)',
    });
  }
  return { mechanism, username, password };
}

function readPem(path: string, key: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TruecountError('invalid_config', `${key}: cannot read ${path}`, {
      hint: 'check the path and its permissions',
      cause,
    });
  }
}
