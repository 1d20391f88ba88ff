/** As `--protocol` has them. */
export const PROTOCOLS = ['tcp', 'tcp6', 'udp', 'udp6', 'unix'] as const
