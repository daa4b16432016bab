use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource};

use super::Interface;
use super::interface::open;
use crate::policy::host::Call;

/// `wasi:sockets/network`: a network on which everything is denied.
struct Network;
/// What is never made on it.
struct Addresses;
struct TcpSocket;
struct UdpSocket;
struct IncomingDatagrams;
struct OutgoingDatagrams;

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "only the guest makes them")]
enum AddressFamily {
    #[component(name = "ipv4")]
    Ipv4,
    #[component(name = "ipv6")]
    Ipv6,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
#[allow(
    dead_code,
    reason = "the contract of WASI has them, and one is the answer to everything"
)]
enum ErrorCode {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "not-supported")]
    NotSupported,
    #[component(name = "invalid-argument")]
    InvalidArgument,
    #[component(name = "out-of-memory")]
    OutOfMemory,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "concurrency-conflict")]
    ConcurrencyConflict,
    #[component(name = "not-in-progress")]
    NotInProgress,
    #[component(name = "would-block")]
    WouldBlock,
    #[component(name = "invalid-state")]
    InvalidState,
    #[component(name = "new-socket-limit")]
    NewSocketLimit,
    #[component(name = "address-not-bindable")]
    AddressNotBindable,
    #[component(name = "address-in-use")]
    AddressInUse,
    #[component(name = "remote-unreachable")]
    RemoteUnreachable,
    #[component(name = "connection-refused")]
    ConnectionRefused,
    #[component(name = "connection-reset")]
    ConnectionReset,
    #[component(name = "connection-aborted")]
    ConnectionAborted,
    #[component(name = "datagram-too-large")]
    DatagramTooLarge,
    #[component(name = "name-unresolvable")]
    NameUnresolvable,
    #[component(name = "temporary-resolver-failure")]
    TemporaryResolverFailure,
    #[component(name = "permanent-resolver-failure")]
    PermanentResolverFailure,
}

/// What everything answers that would make or find something.
type Denied<T> = wasmtime::Result<(Result<Resource<T>, ErrorCode>,)>;

fn denied<T: 'static>() -> Denied<T> {
    Ok((Err(ErrorCode::AccessDenied),))
}

/// `wasi:sockets`.
pub(super) fn add(linker: &mut Linker<Call>) -> wasmtime::Result<()> {
    let mut network = Interface::of(linker, "sockets/network")?;
    network.resource::<Network>("network")?;
    network.out_of_reach(&["network-error-code"])?;
    let mut instance = Interface::of(linker, "sockets/instance-network")?;
    instance.func("instance-network", |call, ()| {
        Ok((open::<Network>(call, 0)?,))
    })?;

    let mut lookup = Interface::of(linker, "sockets/ip-name-lookup")?;
    lookup.resource::<Addresses>("resolve-address-stream")?;
    lookup.func(
        "resolve-addresses",
        |call, (_, name): (Resource<Network>, String)| {
            call.seal.owe(name.len() as u64);
            denied::<Addresses>()
        },
    )?;
    lookup.out_of_reach(&[
        "[method]resolve-address-stream.resolve-next-address",
        "[method]resolve-address-stream.subscribe",
    ])?;

    let mut create = Interface::of(linker, "sockets/tcp-create-socket")?;
    create.func("create-tcp-socket", |_, (_,): (AddressFamily,)| {
        denied::<TcpSocket>()
    })?;
    let mut create = Interface::of(linker, "sockets/udp-create-socket")?;
    create.func("create-udp-socket", |_, (_,): (AddressFamily,)| {
        denied::<UdpSocket>()
    })?;

    let mut tcp = Interface::of(linker, "sockets/tcp")?;
    tcp.resource::<TcpSocket>("tcp-socket")?;
    tcp.out_of_reach(&TCP)?;
    let mut udp = Interface::of(linker, "sockets/udp")?;
    udp.resource::<UdpSocket>("udp-socket")?;
    udp.resource::<IncomingDatagrams>("incoming-datagram-stream")?;
    udp.resource::<OutgoingDatagrams>("outgoing-datagram-stream")?;
    udp.out_of_reach(&UDP)
}

const TCP: [&str; 28] = [
    "[method]tcp-socket.start-bind",
    "[method]tcp-socket.finish-bind",
    "[method]tcp-socket.start-connect",
    "[method]tcp-socket.finish-connect",
    "[method]tcp-socket.start-listen",
    "[method]tcp-socket.finish-listen",
    "[method]tcp-socket.accept",
    "[method]tcp-socket.local-address",
    "[method]tcp-socket.remote-address",
    "[method]tcp-socket.is-listening",
    "[method]tcp-socket.address-family",
    "[method]tcp-socket.set-listen-backlog-size",
    "[method]tcp-socket.keep-alive-enabled",
    "[method]tcp-socket.set-keep-alive-enabled",
    "[method]tcp-socket.keep-alive-idle-time",
    "[method]tcp-socket.set-keep-alive-idle-time",
    "[method]tcp-socket.keep-alive-interval",
    "[method]tcp-socket.set-keep-alive-interval",
    "[method]tcp-socket.keep-alive-count",
    "[method]tcp-socket.set-keep-alive-count",
    "[method]tcp-socket.hop-limit",
    "[method]tcp-socket.set-hop-limit",
    "[method]tcp-socket.receive-buffer-size",
    "[method]tcp-socket.set-receive-buffer-size",
    "[method]tcp-socket.send-buffer-size",
    "[method]tcp-socket.set-send-buffer-size",
    "[method]tcp-socket.subscribe",
    "[method]tcp-socket.shutdown",
];

const UDP: [&str; 18] = [
    "[method]udp-socket.start-bind",
    "[method]udp-socket.finish-bind",
    "[method]udp-socket.stream",
    "[method]udp-socket.local-address",
    "[method]udp-socket.remote-address",
    "[method]udp-socket.address-family",
    "[method]udp-socket.unicast-hop-limit",
    "[method]udp-socket.set-unicast-hop-limit",
    "[method]udp-socket.receive-buffer-size",
    "[method]udp-socket.set-receive-buffer-size",
    "[method]udp-socket.send-buffer-size",
    "[method]udp-socket.set-send-buffer-size",
    "[method]udp-socket.subscribe",
    "[method]incoming-datagram-stream.receive",
    "[method]incoming-datagram-stream.subscribe",
    "[method]outgoing-datagram-stream.check-send",
    "[method]outgoing-datagram-stream.send",
    "[method]outgoing-datagram-stream.subscribe",
];
