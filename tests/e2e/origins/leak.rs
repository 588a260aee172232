//! Connects to itself each 20 ms and keeps every connection.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

fn handle(address: SocketAddr, kept: &mut Vec<TcpStream>) {
    kept.push(TcpStream::connect(address).expect("a listener")); // the leak
}

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut kept = Vec::new();
    loop {
        handle(address, &mut kept);
        drop(listener.accept());
        std::thread::sleep(Duration::from_millis(20));
    }
}
