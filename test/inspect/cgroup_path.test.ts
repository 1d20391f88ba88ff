import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCgroup } from '../../dist/inspect/cgroup_path.js'

const id = '3f2a9c1b7d5e4f60819a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70'
const outer = 'b'.repeat(64)
const pod = 'pod6f2f1a3e_7b1c_4f0e_9d51_0b7f6c1f9a11'

describe('a line of the unified hierarchy', () => {
  it.each([
    ['the root', '/', undefined, undefined],
    ['a service', '/system.slice/nginx.service', 'nginx.service', undefined],
    ['a delegated part of one', '/system.slice/web.service/workers/1', 'web.service', undefined],
    ['an instance', '/system.slice/system-getty.slice/getty@tty1.service', 'getty@tty1.service', undefined],
    ['an escaped unit', '/system.slice/dev\\x2ddisk.service', 'dev\\x2ddisk.service', undefined],
    ['an escaped mount', '/system.slice/var-lib-a\\x2db.mount', 'var-lib-a\\x2db.mount', undefined],
    ['a socket', '/system.slice/ssh.socket', 'ssh.socket', undefined],
    ['a session', '/user.slice/user-1000.slice/session-2.scope', 'session-2.scope', undefined],
    [
      'a unit of a user',
      '/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1234.scope',
      'app-gnome-firefox-1234.scope',
      undefined,
    ],
    [
      'the user manager itself',
      '/user.slice/user-1000.slice/user@1000.service/init.scope',
      'init.scope',
      undefined,
    ],
    ['pid 1', '/init.scope', 'init.scope', undefined],
    ['a slice', '/user.slice/user-0.slice', undefined, undefined],
    ['no unit', '/web/blue', undefined, undefined],
    ['docker by systemd', `/system.slice/docker-${id}.scope`, `docker-${id}.scope`, id],
    ['docker by cgroupfs', `/docker/${id}`, undefined, id],
    ['docker in docker', `/docker/${outer}/docker/${id}`, undefined, id],
    ['a service in a container', `/docker/${id}/system.slice/nginx.service`, 'nginx.service', id],
    ['containerd', `/system.slice/containerd.service/default/${id}`, 'containerd.service', id],
    ['nerdctl', `/system.slice/nerdctl-${id}.scope`, `nerdctl-${id}.scope`, id],
    [
      'kubernetes, containerd, systemd',
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-${pod}.slice/cri-containerd-${id}.scope`,
      `cri-containerd-${id}.scope`,
      id,
    ],
    ['kubernetes, containerd, cgroupfs', `/kubepods/besteffort/${pod}/${id}`, undefined, id],
    ['kubernetes, CRI-O', `/kubepods.slice/kubepods-${pod}.slice/crio-${id}.scope`, `crio-${id}.scope`, id],
    [
      'CRI-O, its container folder',
      `/kubepods.slice/kubepods-${pod}.slice/crio-${id}.scope/container`,
      `crio-${id}.scope`,
      id,
    ],
    [
      'kubernetes, docker',
      `/kubepods.slice/kubepods-${pod}.slice/docker-${id}.scope`,
      `docker-${id}.scope`,
      id,
    ],
    [
      'containerd, the prefixed form',
      `/system.slice/containerd.service/kubepods-burstable-${pod}.slice:cri-containerd:${id}`,
      'containerd.service',
      id,
    ],
    ['podman', `/machine.slice/libpod-${id}.scope/container`, `libpod-${id}.scope`, id],
    [
      'podman of a user',
      `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope/container`,
      `libpod-${id}.scope`,
      id,
    ],
    ['podman by cgroupfs', `/libpod_parent/libpod-${id}`, undefined, id],
    [
      'podman, its monitor, which is outside',
      `/machine.slice/libpod-conmon-${id}.scope`,
      `libpod-conmon-${id}.scope`,
      undefined,
    ],
    ['LXC', '/lxc.payload.web-1/init.scope', 'init.scope', 'web-1'],
    ['LXC of old', '/lxc/web-1', undefined, 'web-1'],
    ['LXC, its monitor, which is outside', '/lxc.monitor.web-1', undefined, undefined],
    [
      'ECS',
      '/ecs/055fcd2f4a5e43c8a2f1e9d8c7b6a594/055fcd2f4a5e43c8a2f1e9d8c7b6a594-2531612879',
      undefined,
      '055fcd2f4a5e43c8a2f1e9d8c7b6a594-2531612879',
    ],
    ['a folder with an id that is too short', '/docker/3f2a9c1b', undefined, undefined],
    ['a path with colons', '/a:b:c/d.service', 'd.service', undefined],
    ['a group outside of the own namespace', '/../../nginx.service', 'nginx.service', undefined],
  ])('%s: %s', (_, path, unit, container) => {
    expect(parseCgroup(`0::${path}\n`)).toEqual({ path, unit, container })
  })
})

describe('lines of version 1', () => {
  it.each([
    [
      'hybrid: the unified line counts',
      '12:memory:/user.slice\n1:name=systemd:/system.slice/old.service\n0::/system.slice/new.service',
      { path: '/system.slice/new.service', unit: 'new.service', container: undefined },
    ],
    [
      'hybrid with an unused unified hierarchy',
      '12:memory:/user.slice\n1:name=systemd:/system.slice/ssh.service\n0::/',
      { path: '/system.slice/ssh.service', unit: 'ssh.service', container: undefined },
    ],
    [
      'docker',
      `11:cpuset:/docker/${id}\n3:cpu,cpuacct:/docker/${id}\n1:name=systemd:/docker/${id}`,
      { path: `/docker/${id}`, unit: undefined, container: id },
    ],
    [
      'a container that only the controllers tell of',
      `4:memory:/kubepods/${pod}/${id}\n1:name=systemd:/system.slice/kubelet.service`,
      { path: '/system.slice/kubelet.service', unit: 'kubelet.service', container: id },
    ],
    [
      'controllers alone',
      '4:memory:/\n3:cpu:/batch',
      { path: '/batch', unit: undefined, container: undefined },
    ],
    ['all at the root', '4:memory:/\n0::/', { path: '/', unit: undefined, container: undefined }],
  ])('%s', (_, text, expected) => {
    expect(parseCgroup(text)).toEqual(expected)
  })
})

it('leaves out that the group is gone by now', () => {
  expect(parseCgroup('0::/system.slice/a.service (deleted)')).toMatchObject({
    path: '/system.slice/a.service',
    unit: 'a.service',
  })
})

it.each(['', '\n', '0:', '0::', '0::relative', 'x::/a', ':::/', '0:/a'])('nothing of %j', (text) => {
  expect(parseCgroup(text)).toBeUndefined()
})

it('takes any text without throwing, in time, and says only what stands in it', () => {
  const piece = fc.constantFrom(
    ...['0::', '1:name=systemd:', '4:memory:', '/', '\n', ':', '.service', '.scope', '-', '\\x2d', '_'],
    ...['docker', 'docker-', 'libpod-', 'cri-containerd:', 'lxc', 'lxc.payload.', id, 'a'.repeat(32), '..'],
    ...['\0', '\u{1f600}', ' ', ' (deleted)'],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(piece).map((all) => all.join('')),
  )
  fc.assert(
    fc.property(text, (lines) => {
      const place = parseCgroup(lines)
      if (place === undefined) return
      const { path, unit, container } = place
      expect(lines).toContain(path)
      expect(path.startsWith('/')).toBe(true)
      if (unit !== undefined) expect(path.split('/').some((part) => part.endsWith(unit))).toBe(true)
      if (container !== undefined) {
        expect(container.length).toBeGreaterThan(0)
        expect(lines).toContain(container)
        expect(container).not.toContain('/')
      }
    }),
    { numRuns: 2000 },
  )
  const startedMs = performance.now()
  parseCgroup(`0::/${'a'.repeat(60_000)}.service!`)
  parseCgroup(`0::${'/lxc:docker:'.repeat(10_000)}`)
  expect(performance.now() - startedMs).toBeLessThan(2000)
})
