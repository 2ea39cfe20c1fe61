use redb::ReadableTableMetadata as _;

use super::*;
use crate::book::Team;
use crate::book::scratch::{book, power_cut};

fn new(name: &str, role: Role) -> NewToken {
    NewToken { name: name.to_owned(), role, team: None, expires_ms: None, jobs_max: None }
}

#[test]
fn a_secret_opens_its_token_until_it_expires_or_is_taken_back() {
    let (_dir, book) = book();
    let (nightly, secret) = book
        .add_token(NewToken { expires_ms: Some(50), ..new("nightly", Role::Submitter) }, 10)
        .expect("it works");
    let (owner, other) = book.add_token(new("otto", Role::Owner), 11).expect("it works");
    assert!(nightly.id.starts_with("tok_") && nightly.id.len() == 20, "{}", nightly.id);
    assert!(secret.as_str().starts_with("tes_") && secret.as_str().len() == 47);
    assert_ne!(secret, other);

    assert_eq!(book.token_of(secret.as_str(), 49).expect("it works"), nightly);
    let expired = book.token_of(secret.as_str(), 50).expect_err("it is refused");
    assert!(matches!(&expired, Refused::Expired { id, expired_ms: 50 } if *id == nightly.id));
    let mistyped = format!("{}x", secret.as_str());
    assert!(matches!(book.token_of(&mistyped, 49), Err(Refused::Unknown)));

    assert_eq!(book.revoke(&nightly.id).expect("it works"), Some(nightly.clone()));
    assert_eq!(book.revoke(&nightly.id).expect("it works"), None);
    assert!(matches!(book.token_of(secret.as_str(), 49), Err(Refused::Unknown)));
    assert_eq!(book.token(&nightly.id).expect("it works"), None);
    assert_eq!(book.token_of(other.as_str(), 49).expect("it works"), owner);
    assert_eq!(book.tokens().expect("it works"), [owner]);
    assert_eq!(
        book.read()
            .expect("it works")
            .open_table(SECRETS)
            .expect("it works")
            .len()
            .expect("it works"),
        1
    );
}

#[test]
fn tokens_are_listed_oldest_first_and_outlive_the_process() {
    let (dir, book) = book();
    let mut made = Vec::new();
    for (index, name) in ["c", "a", "b"].into_iter().enumerate() {
        made.push(book.add_token(new(name, Role::Viewer), index as u64).expect("it works"));
    }
    let (_after, book) = power_cut(dir.path());
    let tokens: Vec<Token> = made.iter().map(|(token, _)| token.clone()).collect();
    assert_eq!(book.tokens().expect("it works"), tokens);
    assert_eq!(book.token_of(made[1].1.as_str(), 9).expect("it works"), tokens[1]);
}

#[test]
fn the_file_and_the_log_do_not_hold_a_secret() {
    let (dir, book) = book();
    let (_, secret) = book.add_token(new("nightly", Role::Viewer), 1).expect("it works");
    assert_eq!(format!("{secret:?}"), "Secret(tes_…)");
    drop(book);
    let bytes = std::fs::read(dir.path().join("studio.redb")).expect("it works");
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("nightly") && !holds(&secret.as_str()[4..]));
}

#[test]
fn odd_tokens_are_refused() {
    let (_dir, book) = book();
    for name in ["", "a\nb", &"x".repeat(65)] {
        let refused = book.add_token(new(name, Role::Viewer), 1);
        assert!(matches!(refused, Err(AddTokenError::Name(_))), "{name:?}");
    }
    assert!(book.add_token(new(&"ö".repeat(64), Role::Viewer), 1).is_ok());
    let late = NewToken { expires_ms: Some(1), ..new("late", Role::Viewer) };
    assert!(matches!(book.add_token(late, 1), Err(AddTokenError::Expired { expires_ms: 1 })));
    let team = NewToken { team: Some("fx".to_owned()), ..new("fx", Role::Viewer) };
    let refused = book.add_token(team.clone(), 1).expect_err("it is refused");
    assert!(matches!(refused, AddTokenError::UnknownTeam { team } if team == "fx"));
    book.put_team(&Team { team: "fx".to_owned(), budget: None }).expect("it works");
    assert_eq!(book.add_token(team, 1).expect("it works").0.team.as_deref(), Some("fx"));
}

#[test]
fn roles_have_an_order_and_a_text() {
    assert!(Role::Viewer < Role::Submitter && Role::Submitter < Role::Owner);
    for role in Role::ALL {
        assert_eq!(role.to_string().parse(), Ok(role));
        assert_eq!(serde_json::to_string(&role).expect("it works"), format!("\"{role}\""));
    }
    assert_eq!("Owner".parse::<Role>(), Err(ParseRoleError("Owner".to_owned())));
}
