use super::*;

#[test]
fn first() {
    let accounts = b"account,plan,country,billing_start,timezone,language,extensions\nacme,basic,DE,2026-10-01,Europe/Berlin,de,100-199;2001\n";
    let numbers = b"number,account\n+49 30 123456,acme\n";
    let (image, findings) = compile(accounts, numbers).unwrap();
    assert!(findings.is_empty());
    let d = Directory::open(image.into()).unwrap();
    let a = d.owner_at(Number::from_digits(b"4930123456").unwrap(), Timestamp(0)).unwrap();
    assert_eq!((a.name, a.plan, a.zone_name, a.language), ("acme", "basic", "Europe/Berlin", "de"));
    assert!(d.is_extension(a.row, b"150"));
}
use crate::number::Number;
