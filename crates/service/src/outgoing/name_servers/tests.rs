use std::{net::Ipv4Addr, sync::Arc};

use tokio::{net::UdpSocket, task::JoinSet};

use super::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
/// More than the threads that wait for files and the like.
const MANY: usize = 600;
const PATIENCE: Duration = Duration::from_secs(30);

async fn name_server() -> (Arc<UdpSocket>, ResolverConfig) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    (
        Arc::new(socket),
        ResolverConfig::from_parts(None, Vec::new(), vec![server]),
    )
}

/// An answer with an address to who asks for one of version 4, and with none to others (RFC 1035).
fn answer(question: &[u8]) -> Vec<u8> {
    let name = question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let asked = &question[12..12 + name + 4];
    let is_v4 = asked[name..name + 2] == [0, 1];
    let mut answer = question[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
    answer.extend(asked);
    if is_v4 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(ADDRESS.octets());
    }
    answer
}

async fn answering() -> ResolverConfig {
    let (socket, config) = name_server().await;
    tokio::spawn(async move {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question).await {
            socket.send_to(&answer(&question[..length]), from).await.unwrap();
        }
    });
    config
}

#[tokio::test]
async fn the_configured_name_server_is_asked() {
    let config = answering().await;
    for name in ["receiver.example", "receiver.example."] {
        let found = look_up(name, (config.clone(), 1)).await.unwrap();
        assert_eq!(found, [IpAddr::from(ADDRESS)]);
    }
    assert!(look_up("a..example", (config, 1)).await.is_err());
}

#[tokio::test]
async fn this_machine_is_known_without_asking() {
    let (silent, config) = name_server().await;
    let found = look_up("localhost", (config, 1)).await.unwrap();
    assert!(
        !found.is_empty() && found.iter().all(IpAddr::is_loopback),
        "{found:?}"
    );
    assert!(silent.try_recv(&mut [0; 512]).is_err());
}

#[tokio::test]
async fn name_servers_that_do_not_answer_keep_nothing_from_others() {
    let (silent, config) = name_server().await;
    let mut hanging = JoinSet::new();
    for number in 0..MANY {
        let config = config.clone();
        hanging.spawn(async move { look_up(&format!("slow-{number}.example"), (config, 1)).await });
    }
    for _ in 0..MANY {
        silent.recv(&mut [0; 512]).await.unwrap();
    }
    let others = async {
        let found = look_up("receiver.example", (answering().await, 1)).await;
        assert_eq!(found.unwrap(), [IpAddr::from(ADDRESS)]);
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    };
    tokio::time::timeout(PATIENCE, others).await.unwrap();
    hanging.shutdown().await;
}

#[test]
fn the_machines_configuration_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resolv.conf");
    let servers = |config: &ResolverConfig| -> Vec<String> {
        config
            .name_servers()
            .iter()
            .map(|server| server.ip.to_string())
            .collect()
    };
    let (absent, _) = configured(&path).unwrap();
    assert_eq!(servers(&absent), ["127.0.0.1", "::1"]);
    let text =
        "nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch a.example b.example\noptions ndots:3\nodd\n";
    fs::write(&path, text).unwrap();
    let (config, ndots) = configured(&path).unwrap();
    assert_eq!(servers(&config), ["192.0.2.1", "2001:db8::1"]);
    let searched: Vec<_> = config.search().iter().map(ToString::to_string).collect();
    assert_eq!((searched.join(" ").as_str(), ndots), ("a.example b.example", 3));
}
